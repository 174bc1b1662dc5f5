#pragma once

#include <cstddef>

#include "whit/float_view.h"

namespace whit {

/// Normalises each row to mean 0 and variance 1, times gain, plus bias (operator LayerNorm).
/// @param[in]  x           (num_rows, num_cols)
/// @param[in]  gain, bias  (num_cols,)
/// @param[out] y           (num_rows, num_cols)
void layer_norm(FloatView x, FloatView gain, FloatView bias, float epsilon, size_t num_rows, size_t num_cols,
                float* y);

}  // namespace whit
