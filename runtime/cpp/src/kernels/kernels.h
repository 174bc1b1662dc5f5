#pragma once

#include <cstddef>
#include <cstdint>

#include "whit/packed_matrix.h"

namespace whit {

/// `MatmulKernel::accumulate` of each kernel: one file of the same name each (docs/kernels.md).
using Accumulate = void(const PackedMatrix& w, size_t super_tile, const std::byte* lhs, size_t num_lhs,
                        int32_t* sums);

Accumulate matmul_i32_i8row_e1to8_1x16_plain;
Accumulate matmul_i32_i8row_p1to3_1x16_plain;

}  // namespace whit
