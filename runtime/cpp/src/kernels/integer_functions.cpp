#include "kernels/integer_functions.h"

#include <algorithm>

#include "kernels/best_of.h"
#include "whit/requantize.h"

namespace whit {
namespace {

void requantize_row_plain(const int32_t* a, const int32_t* multiplier, const int32_t* shift, size_t count,
                          int32_t* y) {
  for (size_t i = 0; i < count; ++i) y[i] = requantize(a[i], multiplier[i], shift[i]);
}

void requantize_all_plain(const int32_t* a, int32_t multiplier, int32_t shift, size_t count, int32_t* y) {
  for (size_t i = 0; i < count; ++i) y[i] = requantize(a[i], multiplier, shift);
}

// A sum that no valid file has may overflow: it wraps, as in every vector form.
int32_t add_wrapping(int32_t a, int32_t b) { return int32_t(uint32_t(a) + uint32_t(b)); }

template <typename Output>
void finish_rows_plain(const SumRows& rows, const OutputStage& stage, Output* y, size_t y_stride) {
  for (size_t row = 0; row < rows.num_rows; ++row) {
    const int32_t* sums = rows.sums + row * rows.num_cols;
    for (size_t i = 0; i < rows.num_cols; ++i) {
      int32_t value = requantize(add_wrapping(sums[i], stage.bias[i]), stage.multiplier[i], stage.shift[i]);
      if (rows.addend) value += rows.addend[row * rows.addend_stride + i];
      y[row * y_stride + i] = Output(std::clamp(value + stage.zero, stage.low, stage.high));
    }
  }
}

constexpr IntegerFunctions kPlain = {Isa::kPlain, requantize_row_plain, requantize_all_plain,
                                     finish_rows_plain<int8_t>, finish_rows_plain<int16_t>};

}  // namespace

const IntegerFunctions& integer_functions() {
  static const IntegerFunctions& best = best_of(kPlain, machine_integer_functions());
  return best;
}

}  // namespace whit
