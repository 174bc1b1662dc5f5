/// Vectors of WHIT_LANES int32 for the instruction set WHIT_TARGET: both are defined by the one file per
/// instruction set that includes this, and so are the type Int and what works on it. `factor` prepares what
/// `requant<kClamp>` multiplies by; `narrow` and `widen` move WHIT_LANES values.
#include "kernels/integer_functions.h"
#include "whit/requantize.h"

namespace whit {
namespace {

WHIT_TARGET void requantize_row_lanes(const int32_t* a, const int32_t* multiplier, const int32_t* shift,
                                      size_t count, int32_t* y) {
  size_t i = 0;
  for (; i + WHIT_LANES <= count; i += WHIT_LANES) {
    store(y + i, requant<true>(load(a + i), factor(load(multiplier + i), load(shift + i))));
  }
  for (; i < count; ++i) y[i] = requantize(a[i], multiplier[i], shift[i]);
}

WHIT_TARGET void requantize_all_lanes(const int32_t* a, int32_t multiplier, int32_t shift, size_t count,
                                      int32_t* y) {
  const Factor by = factor(splat(multiplier), splat(shift));
  size_t i = 0;
  for (; i + WHIT_LANES <= count; i += WHIT_LANES) store(y + i, requant<true>(load(a + i), by));
  for (; i < count; ++i) y[i] = requantize(a[i], multiplier, shift);
}

/// Shift from which on nothing leaves +-2^30: a product is at most 2^62.
constexpr int32_t kSafeShift = 32;

template <typename Output, bool kAdd, bool kClamp>
WHIT_TARGET void finish_columns(const SumRows& rows, const OutputStage& stage, Output* y, size_t y_stride) {
  const Int zero = splat(stage.zero), low = splat(stage.low), high = splat(stage.high);
  for (size_t i = 0; i < rows.num_cols; i += WHIT_LANES) {
    const Int bias = load(stage.bias + i);
    const Factor by = factor(load(stage.multiplier + i), load(stage.shift + i));
    for (size_t row = 0; row < rows.num_rows; ++row) {
      Int value = add(requant<kClamp>(add(load(rows.sums + row * rows.num_cols + i), bias), by), zero);
      if constexpr (kAdd) value = add(value, widen(rows.addend + row * rows.addend_stride + i));
      narrow(least(greatest(value, low), high), y + row * y_stride + i);
    }
  }
}

template <typename Output>
void finish_rows_lanes(const SumRows& rows, const OutputStage& stage, Output* y, size_t y_stride) {
  int32_t least_shift = kSafeShift;
  for (size_t i = 0; i < rows.num_cols; ++i)
    least_shift = stage.shift[i] < least_shift ? stage.shift[i] : least_shift;
  if (least_shift < kSafeShift) {
    rows.addend ? finish_columns<Output, true, true>(rows, stage, y, y_stride)
                : finish_columns<Output, false, true>(rows, stage, y, y_stride);
  } else {
    rows.addend ? finish_columns<Output, true, false>(rows, stage, y, y_stride)
                : finish_columns<Output, false, false>(rows, stage, y, y_stride);
  }
}

}  // namespace
}  // namespace whit
