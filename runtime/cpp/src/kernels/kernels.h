#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "whit/matmul_kernel.h"
#include "whit/packed_matrix.h"

namespace whit {

/// `MatmulKernel::accumulate` of each kernel: one file of the same name each (docs/kernels.md).
using Accumulate = void(const PackedMatrix& w, size_t super_tile, const std::byte* lhs, size_t num_lhs,
                        int32_t* sums);

Accumulate matmul_i32_i8row_e1to8_1x16_plain;
Accumulate matmul_i32_i8row_p1to3_1x16_plain;
Accumulate matmul_i32_i8row_e1to4_4x16_avx2;
Accumulate matmul_i32_i8row_e5to8_4x16_avx2;
Accumulate matmul_i32_i8row_p1to3_1x32_avx2;
Accumulate matmul_i32_i8row_e1to8_8x32_avx512;
Accumulate matmul_i32_i8row_p1to3_4x32_avx512;
Accumulate matmul_i32_i8row_e1to8_1x16_neon;
Accumulate matmul_i32_i8row_p1to3_1x16_neon;
Accumulate matmul_i32_i8row_e1to8_4x16_neondot;
Accumulate matmul_i32_i8row_e1to8_4x16_neoni8mm;

/// Kernels of this build's machine; which file defines it is chosen in CMakeLists.txt.
std::span<const MatmulKernel> machine_matmul_kernels();

/// Activations prepared as they are: int8 (padded_cols,).
inline size_t i8_bytes(size_t padded_cols) { return (padded_cols + 63) / 64 * 64; }
inline void copy_row(const int8_t* q, size_t padded_cols, std::byte* lhs) {
  std::memcpy(lhs, q, padded_cols);
}

}  // namespace whit
