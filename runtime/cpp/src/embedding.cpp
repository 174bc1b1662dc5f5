#include "whit/embedding.h"

#include <algorithm>
#include <cstring>

#include "kernels/expand_e.h"

namespace whit {

namespace {

constexpr size_t kNoTile = size_t(-1);

// The codes of the tile that was read last: rows that follow one another share the work of expanding it.
class TileCodes {
 public:
  TileCodes(const PackedMatrix& table, size_t col_block) : table_(table), col_block_(col_block) {}

  const int16_t* row(size_t row) {
    const size_t tile = row / kTileRows;
    if (tile != tile_) {
      expand_block_e(table_.block(tile, col_block_), table_.bits, table_.tile_codebook(tile), codes_,
                     kBlockCols);
      tile_ = tile;
    }
    return codes_ + row % kTileRows * kBlockCols;
  }

 private:
  const PackedMatrix& table_;
  size_t col_block_;
  size_t tile_ = kNoTile;
  int16_t codes_[kTileRows * kBlockCols];  // (16, 32)
};

}  // namespace

void embedding(const PackedMatrix& table, const void* tokens, size_t num_tokens, float* y) {
  for (size_t col = 0; col < table.cols; col += kBlockCols) {
    TileCodes codes(table, col / kBlockCols);
    const size_t count = std::min(kBlockCols, table.cols - col);
    for (size_t m = 0; m < num_tokens; ++m) {
      float* out = y + m * table.cols + col;
      int32_t token;
      std::memcpy(&token, static_cast<const std::byte*>(tokens) + m * sizeof(token), sizeof(token));
      if (token < 0 || size_t(token) >= table.rows) {
        std::fill_n(out, count, 0.0f);
        continue;
      }
      const int16_t* row = codes.row(size_t(token));
      const float scale = table.scale[size_t(token)];
      for (size_t i = 0; i < count; ++i) out[i] = scale * float(row[i]);
    }
  }
}

}  // namespace whit
