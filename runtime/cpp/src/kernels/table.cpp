#include "kernels/kernels.h"
#include "kernels/widened_rows.h"
#include "whit/matmul_kernel.h"

namespace whit {
namespace {

constexpr MatmulKernel kPlainKernels[] = {
    {"matmul_i32_i8row_e1to8_1x16_plain", Layout::kE, 1, 8, Isa::kPlain, widened_bytes, widen_row,
     matmul_i32_i8row_e1to8_1x16_plain},
    {"matmul_i32_i8row_p1to3_1x16_plain", Layout::kP, 1, 3, Isa::kPlain, widened_bytes, widen_row,
     matmul_i32_i8row_p1to3_1x16_plain},
};

// The best kernel of each layout and width, found once.
struct Selection {
  Selection() {
    for (const Layout layout : {Layout::kE, Layout::kP}) {
      for (int bits = 1; bits <= 8; ++bits) {
        const MatmulKernel*& best = kernels[size_t(layout)][bits];
        best = &kPlainKernels[size_t(layout)];
        for (const MatmulKernel& kernel : machine_matmul_kernels()) {
          if (kernel.serves(layout, bits) && kernel.isa <= chosen_isa().isa) best = &kernel;
        }
      }
    }
  }

  const MatmulKernel* kernels[2][9];  // (layout, bits)
};

}  // namespace

std::vector<const MatmulKernel*> matmul_kernels() {
  std::vector<const MatmulKernel*> kernels;
  for (const MatmulKernel& kernel : kPlainKernels) kernels.push_back(&kernel);
  for (const MatmulKernel& kernel : machine_matmul_kernels()) {
    if (kernel.isa <= available_isas().back()) kernels.push_back(&kernel);
  }
  return kernels;
}

const MatmulKernel& select_matmul_kernel(Layout layout, int bits) {
  static const Selection selection;
  return *selection.kernels[size_t(layout)][bits];
}

}  // namespace whit
