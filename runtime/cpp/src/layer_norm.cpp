#include "whit/layer_norm.h"

#include "kernels/sequence_functions.h"

namespace whit {

void layer_norm(FloatView x, FloatView gain, FloatView bias, float epsilon, size_t num_rows, size_t num_cols,
                float* y) {
  const SequenceFunctions& functions = sequence_functions();
  for (size_t m = 0; m < num_rows; ++m) {
    functions.layer_norm(x + m * num_cols, gain, bias, epsilon, num_cols, y + m * num_cols);
  }
}

}  // namespace whit
