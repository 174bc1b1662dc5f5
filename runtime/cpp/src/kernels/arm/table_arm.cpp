#include "kernels/arm/lhs_arm.h"
#include "kernels/arm/row_functions_arm.h"
#include "kernels/kernels.h"

namespace whit {
namespace {

constexpr MatmulKernel kKernels[] = {
    {"matmul_i32_i8row_e1to8_1x16_neon", Layout::kE, 1, 8, Isa::kNeon, i8_bytes, copy_row,
     matmul_i32_i8row_e1to8_1x16_neon},
    {"matmul_i32_i8row_p1to3_1x16_neon", Layout::kP, 1, 3, Isa::kNeon, neon_tables_bytes, make_neon_tables,
     matmul_i32_i8row_p1to3_1x16_neon},
    {"matmul_i32_i8row_e1to8_4x16_neondot", Layout::kE, 1, 8, Isa::kNeonDot, i8_bytes, copy_row,
     matmul_i32_i8row_e1to8_4x16_neondot},
    {"matmul_i32_i8row_e1to8_4x16_neoni8mm", Layout::kE, 1, 8, Isa::kNeonI8mm, i8_bytes, copy_row,
     matmul_i32_i8row_e1to8_4x16_neoni8mm},
};

}  // namespace

std::span<const MatmulKernel> machine_matmul_kernels() { return kKernels; }

std::span<const RowFunctions> machine_row_functions() { return {&kRowFunctionsNeon, 1}; }

}  // namespace whit
