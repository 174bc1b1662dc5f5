#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "whit/isa.h"
#include "whit/packed_matrix.h"

namespace whit {

/// One way to compute the exact int32 sums of a packed product (docs/kernels.md gives the names' grammar).
/// All kernels of one layout give the same integers, so choosing one changes speed, never a result.
struct MatmulKernel {
  const char* name;
  Layout layout;
  int min_bits;
  int max_bits;
  Isa isa;  ///< what it needs

  /// Returns the bytes of one prepared row of activations; a multiple of 64.
  size_t (*lhs_bytes)(size_t padded_cols);

  /// Puts one quantized row into the order and type that `accumulate` reads.
  /// @param[in]  q    (padded_cols,), from `quantize_row`
  /// @param[out] lhs  (lhs_bytes,), 64-byte aligned
  void (*prepare)(const int8_t* q, size_t padded_cols, std::byte* lhs);

  /// Multiplies prepared rows by the 32 rows of one super-tile.
  /// @param[in]  w         of this kernel's layout and widths
  /// @param[in]  lhs       (num_lhs, lhs_bytes)
  /// @param[out] sums      (num_lhs, 32)
  void (*accumulate)(const PackedMatrix& w, size_t super_tile, const std::byte* lhs, size_t num_lhs,
                     int32_t* sums);

  bool serves(Layout matrix_layout, int bits) const {
    return matrix_layout == layout && min_bits <= bits && bits <= max_bits;
  }
};

/// Every kernel that this processor can run, the best for a layout and width last.
std::vector<const MatmulKernel*> matmul_kernels();

/// Returns the best kernel of the chosen instruction set for a layout and width.
/// @throws std::invalid_argument as `chosen_isa`.
const MatmulKernel& select_matmul_kernel(Layout layout, int bits);

}  // namespace whit
