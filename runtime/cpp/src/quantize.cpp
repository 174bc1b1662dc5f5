#include "whit/quantize.h"

#include "kernels/row_functions.h"

namespace whit {

float quantize_row(FloatView a, size_t num_values, int8_t* q, size_t num_quantized) {
  return row_functions().quantize_row(a, num_values, q, num_quantized);
}

}  // namespace whit
