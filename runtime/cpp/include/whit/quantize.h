#pragma once

#include <cstddef>
#include <cstdint>

#include "whit/float_view.h"

namespace whit {

/// Quantizes one row of activations (docs/format.md, section 1) and returns its scale.
/// @param[in]  a              (num_values,)
/// @param[in]  num_values     at least 1
/// @param[out] q              (num_quantized,), in [-127, 127]; zeros past num_values
/// @param[in]  num_quantized  at least num_values
float quantize_row(FloatView a, size_t num_values, int8_t* q, size_t num_quantized);

}  // namespace whit
