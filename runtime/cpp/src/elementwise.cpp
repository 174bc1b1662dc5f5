#include "whit/elementwise.h"

#include "kernels/sequence_functions.h"

namespace whit {

void affine(FloatView x, FloatView scale, FloatView offset, size_t num_rows, size_t num_cols, float* y) {
  for (size_t m = 0; m < num_rows; ++m) {
    const FloatView row = x + m * num_cols;
    float* out = y + m * num_cols;
    for (size_t n = 0; n < num_cols; ++n) out[n] = row[n] * scale[n] + offset[n];
  }
}

void add_relu(FloatView a, FloatView b, size_t num_rows, size_t num_cols, float* y) {
  for (size_t m = 0; m < num_rows; ++m) {
    const FloatView row = a + m * num_cols;
    float* out = y + m * num_cols;
    for (size_t n = 0; n < num_cols; ++n) {
      const float sum = row[n] + b[n];
      out[n] = sum <= 0.0f ? 0.0f : sum;  // written so that a NaN, which compares false, stays
    }
  }
}

void swish(FloatView x, size_t num_values, float* y) { sequence_functions().swish(x, num_values, y); }

void glu(FloatView x, size_t num_rows, size_t num_cols, float* y) {
  for (size_t m = 0; m < num_rows; ++m) {
    const FloatView row = x + m * 2 * num_cols;
    sequence_functions().glu(row, row + num_cols, num_cols, y + m * num_cols);
  }
}

void add(FloatView a, FloatView b, float scale, size_t num_values, float* y) {
  for (size_t i = 0; i < num_values; ++i) y[i] = a[i] + scale * b[i];
}

}  // namespace whit
