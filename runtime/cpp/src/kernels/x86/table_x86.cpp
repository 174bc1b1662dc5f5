#include "kernels/kernels.h"

namespace whit {
namespace {

bool has_avx2() { return __builtin_cpu_supports("avx2"); }

constexpr MatmulKernel kKernels[] = {
    {"matmul_i32_i8row_e1to8_4x16_avx2", Layout::kE, 1, 8, has_avx2, i8_bytes, copy_row,
     matmul_i32_i8row_e1to8_4x16_avx2},
    {"matmul_i32_i8row_p1to3_1x16_avx2", Layout::kP, 1, 3, has_avx2, activation_tables_bytes,
     make_activation_tables, matmul_i32_i8row_p1to3_1x16_avx2},
};

}  // namespace

std::span<const MatmulKernel> machine_matmul_kernels() { return kKernels; }

}  // namespace whit
