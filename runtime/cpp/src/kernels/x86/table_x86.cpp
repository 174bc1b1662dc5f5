#include "kernels/kernels.h"
#include "kernels/x86/lhs_x86.h"
#include "kernels/x86/row_functions_x86.h"

namespace whit {
namespace {

constexpr MatmulKernel kKernels[] = {
    {"matmul_i32_i8row_e1to4_4x16_avx2", Layout::kE, 1, 4, Isa::kAvx2, summed_row_bytes, copy_summed_row,
     matmul_i32_i8row_e1to4_4x16_avx2},
    {"matmul_i32_i8row_e5to8_4x16_avx2", Layout::kE, 5, 8, Isa::kAvx2, i8_bytes, copy_row,
     matmul_i32_i8row_e5to8_4x16_avx2},
    {"matmul_i32_i8row_p1to3_1x32_avx2", Layout::kP, 1, 3, Isa::kAvx2, activation_tables_bytes,
     make_activation_tables, matmul_i32_i8row_p1to3_1x32_avx2},
    {"matmul_i32_i8row_e1to8_8x32_avx512", Layout::kE, 1, 8, Isa::kAvx512, summed_row_bytes, copy_summed_row,
     matmul_i32_i8row_e1to8_8x32_avx512},
    {"matmul_i32_i8row_p1to3_4x32_avx512", Layout::kP, 1, 3, Isa::kAvx512, activation_tables_bytes,
     make_activation_tables, matmul_i32_i8row_p1to3_4x32_avx512},
};

}  // namespace

std::span<const MatmulKernel> machine_matmul_kernels() { return kKernels; }

std::span<const RowFunctions> machine_row_functions() {
  static const RowFunctions kFunctions[] = {kRowFunctionsAvx2, kRowFunctionsAvx512};
  return kFunctions;
}

}  // namespace whit
