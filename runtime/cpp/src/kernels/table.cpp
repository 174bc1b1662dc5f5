#include "kernels/kernels.h"
#include "kernels/widened_rows.h"
#include "whit/matmul_kernel.h"

namespace whit {
namespace {

bool always() { return true; }

constexpr MatmulKernel kPlainKernels[] = {
    {"matmul_i32_i8row_e1to8_1x16_plain", Layout::kE, 1, 8, always, widened_bytes, widen_row,
     matmul_i32_i8row_e1to8_1x16_plain},
    {"matmul_i32_i8row_p1to3_1x16_plain", Layout::kP, 1, 3, always, widened_bytes, widen_row,
     matmul_i32_i8row_p1to3_1x16_plain},
};

}  // namespace

std::vector<const MatmulKernel*> matmul_kernels() {
  std::vector<const MatmulKernel*> kernels;
  for (const MatmulKernel& kernel : kPlainKernels) kernels.push_back(&kernel);
  for (const MatmulKernel& kernel : machine_matmul_kernels()) {
    if (kernel.is_supported()) kernels.push_back(&kernel);
  }
  return kernels;
}

const MatmulKernel& select_matmul_kernel(Layout layout, int bits) {
  const MatmulKernel* best = &kPlainKernels[layout == Layout::kE ? 0 : 1];
  for (const MatmulKernel& kernel : machine_matmul_kernels()) {
    if (kernel.serves(layout, bits) && kernel.is_supported()) best = &kernel;
  }
  return *best;
}

}  // namespace whit
