#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace whit {

/// Largest magnitude that `requantize` gives: anything smaller may be added to it within int32.
inline constexpr int32_t kRequantizedLimit = int32_t{1} << 30;

/// Returns a * multiplier * 2^-shift, rounded half up and clamped to +-2^30: "requant" of docs/format.md,
/// section 10, and the oracle of all vector forms.
/// @param[in] multiplier  below 2^31 in magnitude; that of a negative factor is negative
/// @param[in] shift       from 16 to 62
inline int32_t requantize(int32_t a, int32_t multiplier, int32_t shift) {
  const int64_t rounded = (int64_t{a} * multiplier + (int64_t{1} << (shift - 1))) >> shift;
  return int32_t(std::clamp<int64_t>(rounded, -kRequantizedLimit, kRequantizedLimit));
}

/// The same for a row whose columns have factors of their own.
/// @param[in]  a, multiplier, shift  (count,)
/// @param[out] y                     (count,), may be a
void requantize_row(const int32_t* a, const int32_t* multiplier, const int32_t* shift, size_t count,
                    int32_t* y);

/// The same with one factor for all values.
/// @param[in]  a  (count,)
/// @param[out] y  (count,), may be a
void requantize_all(const int32_t* a, int32_t multiplier, int32_t shift, size_t count, int32_t* y);

/// Checks that every multiplier is 0 or in [2^30, 2^31), or the negative of one where `allow_negative`, and
/// every shift in [16, 62].
/// @throws std::invalid_argument "[place] expected ..., received ...".
void check_requantization(std::string_view place, std::span<const int32_t> multiplier,
                          std::span<const int32_t> shift, bool allow_negative = false);

}  // namespace whit
