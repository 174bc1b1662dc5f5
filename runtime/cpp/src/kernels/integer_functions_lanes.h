/// Vectors of WHIT_LANES int32 for the instruction set WHIT_TARGET: both are defined by the one file per
/// instruction set that includes this, and so are the type Int, `requant(Int a, Int multiplier, Int shift)`
/// and `narrow(Int, int8_t*)`, `narrow(Int, int16_t*)` and `widen(const int16_t*)`, which move WHIT_LANES
/// values.
#include "kernels/integer_functions.h"
#include "whit/requantize.h"

namespace whit {
namespace {

WHIT_TARGET void requantize_row_lanes(const int32_t* a, const int32_t* multiplier, const int32_t* shift,
                                      size_t count, int32_t* y) {
  size_t i = 0;
  for (; i + WHIT_LANES <= count; i += WHIT_LANES) {
    store(y + i, requant(load(a + i), load(multiplier + i), load(shift + i)));
  }
  for (; i < count; ++i) y[i] = requantize(a[i], multiplier[i], shift[i]);
}

WHIT_TARGET void requantize_all_lanes(const int32_t* a, int32_t multiplier, int32_t shift, size_t count,
                                      int32_t* y) {
  const Int multipliers = splat(multiplier), shifts = splat(shift);
  size_t i = 0;
  for (; i + WHIT_LANES <= count; i += WHIT_LANES) {
    store(y + i, requant(load(a + i), multipliers, shifts));
  }
  for (; i < count; ++i) y[i] = requantize(a[i], multiplier, shift);
}

template <typename Output>
WHIT_TARGET void finish_row_lanes(const int32_t* sums, const OutputStage& stage, size_t count,
                                  const int16_t* addend, Output* y) {
  const Int zero = splat(stage.zero), low = splat(stage.low), high = splat(stage.high);
  for (size_t i = 0; i < count; i += WHIT_LANES) {
    const Int sum = add(load(sums + i), load(stage.bias + i));
    Int value = add(requant(sum, load(stage.multiplier + i), load(stage.shift + i)), zero);
    if (addend) value = add(value, widen(addend + i));
    narrow(least(greatest(value, low), high), y + i);
  }
}

}  // namespace
}  // namespace whit
