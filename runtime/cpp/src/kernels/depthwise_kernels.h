#pragma once

#include <span>

#include "whit/depthwise_kernel.h"

namespace whit {

/// One file of the same name each (docs/kernels.md).
extern const DepthwiseKernel depthwise_i32_i8row_e1to8_1x16_plain;
extern const DepthwiseKernel depthwise_i32_i8row_e1to8_4x16_avx2;
extern const DepthwiseKernel depthwise_i32_i8row_e1to8_8x16_avx512;
extern const DepthwiseKernel depthwise_i32_i8row_e1to8_2x16_neon;
extern const DepthwiseKernel depthwise_i32_i8row_e1to8_4x16_neondot;

/// Kernels of this build's machine, the best last; which file defines it is chosen in CMakeLists.txt.
std::span<const DepthwiseKernel* const> machine_depthwise_kernels();

}  // namespace whit
