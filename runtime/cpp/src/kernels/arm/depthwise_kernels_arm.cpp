#include "kernels/depthwise_kernels.h"

namespace whit {

std::span<const DepthwiseKernel* const> machine_depthwise_kernels() {
  static constexpr const DepthwiseKernel* kKernels[] = {&depthwise_i32_i8row_e1to8_2x16_neon,
                                                        &depthwise_i32_i8row_e1to8_4x16_neondot};
  return kKernels;
}

}  // namespace whit
