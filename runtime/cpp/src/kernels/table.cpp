#include "kernels/kernels.h"
#include "kernels/widened_rows.h"
#include "whit/matmul_kernel.h"

namespace whit {
namespace {

constexpr MatmulKernel kMatmulKernels[] = {
    {"matmul_i32_i8row_e1to8_1x16_plain", Layout::kE, 1, 8, widened_bytes, widen_row,
     matmul_i32_i8row_e1to8_1x16_plain},
    {"matmul_i32_i8row_p1to3_1x16_plain", Layout::kP, 1, 3, widened_bytes, widen_row,
     matmul_i32_i8row_p1to3_1x16_plain},
};

}  // namespace

std::span<const MatmulKernel> matmul_kernels() { return kMatmulKernels; }

const MatmulKernel& select_matmul_kernel(Layout layout, int bits) {
  const MatmulKernel* best = &kMatmulKernels[layout == Layout::kE ? 0 : 1];
  for (const MatmulKernel& kernel : kMatmulKernels) {
    if (kernel.layout == layout && kernel.min_bits <= bits && bits <= kernel.max_bits) best = &kernel;
  }
  return *best;
}

}  // namespace whit
