#pragma once

#include <cstddef>

#include "whit/float_view.h"

namespace whit {

/// y = x * scale + offset, two roundings (operator Affine).
/// @param[in]  x              (num_rows, num_cols)
/// @param[in]  scale, offset  (num_cols,)
/// @param[out] y              (num_rows, num_cols)
void affine(FloatView x, FloatView scale, FloatView offset, size_t num_rows, size_t num_cols, float* y);

/// y = max(a + b, 0); NaN stays NaN (operator AddRelu).
/// @param[in]  a  (num_rows, num_cols)
/// @param[in]  b  (num_cols,)
/// @param[out] y  (num_rows, num_cols)
void add_relu(FloatView a, FloatView b, size_t num_rows, size_t num_cols, float* y);

/// y = a + scale * b, two roundings (operator Add).
/// @param[in]  a, b  (num_values,)
/// @param[out] y     (num_values,)
void add(FloatView a, FloatView b, float scale, size_t num_values, float* y);

/// y = x * sigmoid(x) (operator Swish).
/// @param[in]  x  (num_values,)
/// @param[out] y  (num_values,)
void swish(FloatView x, size_t num_values, float* y);

/// y = x[:, :num_cols] * sigmoid(x[:, num_cols:]) (operator Glu).
/// @param[in]  x  (num_rows, 2 * num_cols)
/// @param[out] y  (num_rows, num_cols)
void glu(FloatView x, size_t num_rows, size_t num_cols, float* y);

}  // namespace whit
