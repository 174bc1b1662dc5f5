#include "whit/requantize.h"

#include "kernels/integer_functions.h"
#include "whit/fail.h"

namespace whit {

void requantize_row(const int32_t* a, const int32_t* multiplier, const int32_t* shift, size_t count,
                    int32_t* y) {
  integer_functions().requantize_row(a, multiplier, shift, count, y);
}

void requantize_all(const int32_t* a, int32_t multiplier, int32_t shift, size_t count, int32_t* y) {
  integer_functions().requantize_all(a, multiplier, shift, count, y);
}

void check_requantization(std::string_view place, std::span<const int32_t> multiplier,
                          std::span<const int32_t> shift, bool allow_negative) {
  for (const int32_t m : multiplier) {
    const int64_t magnitude = m < 0 && allow_negative ? -int64_t{m} : m;
    if (magnitude != 0 && (magnitude < int64_t{1} << 30 || magnitude >= int64_t{1} << 31)) {
      fail(place, "multipliers of 0 or in [2^30, 2^31)", text(m));
    }
  }
  for (const int32_t e : shift) {
    if (e < 16 || e > 62) fail(place, "shifts in [16, 62]", text(e));
  }
}

}  // namespace whit
