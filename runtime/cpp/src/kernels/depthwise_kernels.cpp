#include "kernels/depthwise_kernels.h"

namespace whit {

std::vector<const DepthwiseKernel*> depthwise_kernels() {
  std::vector<const DepthwiseKernel*> kernels = {&depthwise_i32_i8row_e1to8_1x16_plain};
  for (const DepthwiseKernel* kernel : machine_depthwise_kernels()) {
    if (kernel->isa <= available_isas().back()) kernels.push_back(kernel);
  }
  return kernels;
}

const DepthwiseKernel& select_depthwise_kernel() {
  static const DepthwiseKernel& best = []() -> const DepthwiseKernel& {
    const DepthwiseKernel* found = &depthwise_i32_i8row_e1to8_1x16_plain;
    for (const DepthwiseKernel* kernel : machine_depthwise_kernels()) {
      if (kernel->isa <= chosen_isa().isa) found = kernel;
    }
    return *found;
  }();
  return best;
}

}  // namespace whit
