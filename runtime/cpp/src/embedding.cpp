#include "whit/embedding.h"

#include <algorithm>
#include <cstring>

#include "kernels/expand_e.h"

namespace whit {

void embedding(const PackedMatrix& table, const void* tokens, size_t num_tokens, float* y) {
  for (size_t m = 0; m < num_tokens; ++m) {
    float* row = y + m * table.cols;
    int32_t token;
    std::memcpy(&token, static_cast<const std::byte*>(tokens) + m * sizeof(token), sizeof(token));
    if (token < 0 || size_t(token) >= table.rows) {
      std::fill_n(row, table.cols, 0.0f);
      continue;
    }
    const size_t tile = size_t(token) / kTileRows;
    const float scale = table.scale[size_t(token)];
    for (size_t col = 0; col < table.cols; col += kBlockCols) {
      int16_t codes[kTileRows * kBlockCols];  // (16, 32)
      expand_block_e(table.block(tile, col / kBlockCols), table.bits, table.tile_codebook(tile), codes,
                     kBlockCols);
      const int16_t* row_codes = codes + size_t(token) % kTileRows * kBlockCols;
      const size_t count = std::min(kBlockCols, table.cols - col);
      for (size_t i = 0; i < count; ++i) row[col + i] = scale * float(row_codes[i]);
    }
  }
}

}  // namespace whit
