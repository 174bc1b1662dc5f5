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

/// @tparam Expand  decodes one block: (block, bits, codebook, codes, stride)
template <typename Expand>
void accumulate_widened(const PackedMatrix& w, size_t super_tile, const std::byte* lhs, size_t num_lhs,
                        int32_t* sums, Expand expand) {
  constexpr size_t kStripCols = 256;
  const size_t num_cols = w.padded_cols();
  std::fill_n(sums, num_lhs * kSuperTileRows, 0);
  for (size_t half = 0; half < 2; ++half) {
    const size_t tile = super_tile * 2 + half;
    for (size_t col = 0; col < num_cols; col += kStripCols) {
      const size_t strip_cols = std::min(kStripCols, num_cols - col);
      int16_t codes[kTileRows * kStripCols];  // (16, 256)
      for (size_t k = 0; k < strip_cols; k += kBlockCols) {
        expand(w.block(tile, (col + k) / kBlockCols), w.bits, w.tile_codebook(tile), codes + k, kStripCols);
      }
      for (size_t m = 0; m < num_lhs; ++m) {
        const int16_t* q = reinterpret_cast<const int16_t*>(lhs + m * widened_bytes(num_cols)) + col;
        int32_t* out = sums + m * kSuperTileRows + half * kTileRows;
        for (size_t r = 0; r < kTileRows; ++r) {
          const int16_t* code = codes + r * kStripCols;
          int32_t dot = 0;
          for (size_t k = 0; k < strip_cols; ++k) dot += int32_t(code[k]) * int32_t(q[k]);
          out[r] += dot;
        }
      }
    }
  }
}

}  // namespace whit
