#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/row_functions.h"
#include "whit/float_view.h"
#include "whit/matmul_kernel.h"
#include "whit/packed_matrix.h"
#include "whit/workers.h"

namespace whit {

/// x W^T + bias, super-tile by super-tile: what the product and the LSTM have in common. `prepare` comes
/// first; then `multiply` may be called by several threads.
class PackedProduct {
 public:
  /// Rows of activations that `multiply` takes at once: no kernel holds more of them in registers.
  static constexpr size_t kRowsAtOnce = 16;

  /// @param[in] scratch  (scratch_bytes,), 64-byte aligned, kept until the last `multiply`
  PackedProduct(const MatmulKernel& kernel, const PackedMatrix& w, size_t num_lhs, std::byte* scratch);

  static uint64_t scratch_bytes(const MatmulKernel& kernel, const PackedMatrix& w, size_t num_lhs);

  /// Quantizes the activations.
  /// @param[in] x  (num_lhs, w.cols)
  void prepare(FloatView x) const;

  /// Multiplies the rows [first, first + num_rows) of the activations by the 32 rows of one super-tile.
  /// @param[in]  num_rows  from 1 to kRowsAtOnce
  /// @param[out] out       (num_rows, 32), rows of padding included
  /// @param[in]  stride    from one row of `out` to the next, in floats
  void multiply(size_t super_tile, size_t first, size_t num_rows, float* out, size_t stride) const;

  /// Multiplies all rows by all super-tiles.
  /// @param[out] y        (num_lhs, w.rows)
  /// @param[in]  workers  share the super-tiles; may be null
  void multiply_all(float* y, Workers* workers) const;

  /// Returns the fewest super-tiles that are worth another thread.
  size_t least_super_tiles() const;

 private:
  const MatmulKernel& kernel_;
  const RowFunctions& functions_;
  const PackedMatrix& w_;
  size_t num_lhs_;
  size_t lhs_stride_bytes_;
  std::byte* lhs_;     // (num_lhs, lhs_stride_bytes)
  float* lhs_scale_;   // (num_lhs,)
  int8_t* quantized_;  // (padded cols,): of one row
};

}  // namespace whit
