#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "whit/packed_matrix.h"

namespace whit {

/// The plain way to multiply: decode a strip of a tile to int16 codes, then one dot product per row.
/// Activations are prepared as int16, so that compilers find the 16-bit multiply-add of every machine.

inline size_t widened_bytes(size_t padded_cols) { return padded_cols * sizeof(int16_t); }

inline void widen_row(const int8_t* q, size_t padded_cols, std::byte* lhs) {
  int16_t* out = reinterpret_cast<int16_t*>(lhs);
  for (size_t k = 0; k < padded_cols; ++k) out[k] = q[k];
}

/// Four rows at a time: each activation is read once for four sums, which do not wait for each other.
/// @param[in]     codes  (16, stride)
/// @param[in]     q      (num_cols,)
/// @param[in,out] sums   (16,)
inline void add_dot_products(const int16_t* codes, size_t stride, const int16_t* q, size_t num_cols,
                             int32_t* sums) {
  constexpr size_t kRows = 4;
  for (size_t row = 0; row < kTileRows; row += kRows) {
    const int16_t* code = codes + row * stride;
    int32_t dots[kRows] = {};
    for (size_t k = 0; k < num_cols; ++k) {
      for (size_t r = 0; r < kRows; ++r) dots[r] += int32_t(code[r * stride + k]) * int32_t(q[k]);
    }
    for (size_t r = 0; r < kRows; ++r) sums[row + r] += dots[r];
  }
}

/// @tparam TileDecoder  made of (w, tile); decodes a block: (block, codes, stride)
template <typename TileDecoder>
void accumulate_widened(const PackedMatrix& w, size_t super_tile, const std::byte* lhs, size_t num_lhs,
                        int32_t* sums) {
  constexpr size_t kStripCols = 256;
  const size_t num_cols = w.padded_cols();
  std::fill_n(sums, num_lhs * kSuperTileRows, 0);
  for (size_t half = 0; half < 2; ++half) {
    const size_t tile = super_tile * 2 + half;
    const TileDecoder decode(w, tile);
    for (size_t col = 0; col < num_cols; col += kStripCols) {
      const size_t strip_cols = std::min(kStripCols, num_cols - col);
      int16_t codes[kTileRows * kStripCols];  // (16, 256)
      for (size_t k = 0; k < strip_cols; k += kBlockCols) {
        decode(w.block(tile, (col + k) / kBlockCols), codes + k, kStripCols);
      }
      for (size_t m = 0; m < num_lhs; ++m) {
        const int16_t* q = reinterpret_cast<const int16_t*>(lhs + m * widened_bytes(num_cols)) + col;
        add_dot_products(codes, kStripCols, q, strip_cols, sums + m * kSuperTileRows + half * kTileRows);
      }
    }
  }
}

}  // namespace whit
