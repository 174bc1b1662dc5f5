#pragma once

#include <cstddef>
#include <cstdint>

#include "whit/float_view.h"

namespace whit {

/// Rows of one tile, of one super-tile, and columns of one block (docs/format.md, section 2).
inline constexpr size_t kTileRows = 16;
inline constexpr size_t kSuperTileRows = 32;
inline constexpr size_t kBlockCols = 32;

/// int32 sums cannot overflow up to here: 2^17 * 127 * 128 < 2^31.
inline constexpr size_t kMaxCols = size_t{1} << 17;
inline constexpr size_t kMaxRows = size_t{1} << 24;

/// Byte layouts of a block: one arithmetic, two orders of bits.
enum class Layout : uint8_t {
  kE,  ///< index, codebook, int8 product; 1 to 8 bits
  kP,  ///< bit planes; 1 to 3 bits
};

/// Rounds a count of rows or columns up to a multiple of 32.
constexpr size_t padded(size_t count) { return (count + 31) / 32 * 32; }

/// A view of a packed matrix; owns nothing, and every pointer may be unaligned. Made by `view_packed_matrix`.
struct PackedMatrix {
  size_t rows;             ///< 1 to 2^24
  size_t cols;             ///< 1 to 2^17
  int bits;                ///< 1 to 8 in layout E, 1 to 3 in layout P
  Layout layout;           ///< of the blocks
  const uint8_t* data;     ///< (padded rows * padded cols * bits / 8,)
  const int8_t* codebook;  ///< (padded rows / 16 or 1, codebook_width), or null from 7 bits
  size_t codebook_stride;  ///< entries from one tile's codebook to the next; 0 where all tiles share one
  FloatView scale;         ///< (padded rows,), or null where the operator computes in integers
  FloatView bias;          ///< (padded rows,), or null

  size_t padded_rows() const { return padded(rows); }
  size_t padded_cols() const { return padded(cols); }
  size_t num_super_tiles() const { return padded_rows() / kSuperTileRows; }
  size_t num_col_blocks() const { return padded_cols() / kBlockCols; }
  size_t block_bytes() const { return size_t{64} * size_t(bits); }

  /// Returns the bytes of the 16 x 32 block in tile `row / 16` and column block `col / 32`.
  const uint8_t* block(size_t tile, size_t col_block) const {
    return data + ((tile / 2) * num_col_blocks() * 2 + col_block * 2 + tile % 2) * block_bytes();
  }
  /// Returns the codebook of a tile, or null where the codes are linear.
  const int8_t* tile_codebook(size_t tile) const;
};

/// Returns the int8 entries of one tile's codebook: max(16, 2^bits) in E, bits + 1 in P, 0 from 7 bits.
constexpr size_t codebook_width(Layout layout, int bits) {
  if (layout == Layout::kP) return size_t(bits) + 1;
  if (bits >= 7) return 0;
  return bits <= 4 ? 16 : size_t{1} << bits;
}

inline const int8_t* PackedMatrix::tile_codebook(size_t tile) const {
  return codebook ? codebook + tile * codebook_stride : nullptr;
}

}  // namespace whit
