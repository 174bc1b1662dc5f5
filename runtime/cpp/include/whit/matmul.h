#pragma once

#include <cstddef>
#include <cstdint>

#include "whit/float_view.h"
#include "whit/matmul_kernel.h"
#include "whit/packed_matrix.h"
#include "whit/workers.h"

namespace whit {

/// Returns the scratch bytes `matmul` needs for `num_lhs` rows of activations.
uint64_t matmul_scratch_bytes(const PackedMatrix& w, size_t num_lhs);
uint64_t matmul_scratch_bytes(const MatmulKernel& kernel, const PackedMatrix& w, size_t num_lhs);

/// y = x W^T + bias in the arithmetic of docs/format.md section 1 (operator PackedMatMul).
/// @param[in]  kernel   serves w's layout and width; the best one where left out
/// @param[in]  x        (num_lhs, w.cols)
/// @param[out] y        (num_lhs, w.rows)
/// @param      scratch  (matmul_scratch_bytes,), 64-byte aligned
/// @param[in]  workers  share the super-tiles; the result does not depend on their number
void matmul(const PackedMatrix& w, FloatView x, size_t num_lhs, float* y, std::byte* scratch,
            Workers* workers = nullptr);
void matmul(const MatmulKernel& kernel, const PackedMatrix& w, FloatView x, size_t num_lhs, float* y,
            std::byte* scratch, Workers* workers = nullptr);

}  // namespace whit
