#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "whit/packed_matrix.h"

namespace whit {

/// What a file or a caller says about a packed matrix, unchecked.
struct PackedArrays {
  int64_t rows;
  int64_t cols;
  int64_t bits;
  std::string_view layout;     ///< "E" or "P"
  const void* data;            ///< uint8 (data_bytes,)
  size_t data_bytes;           ///< must be those of the shape
  const void* codebook;        ///< int8 (codebook_tiles, codebook_width), or null
  size_t codebook_tiles;       ///< padded rows / 16, or 1
  size_t codebook_width;       ///< entries of a tile
  const void* scale;           ///< float (scale_count,)
  size_t scale_count;          ///< padded rows
  bool integer = false;        ///< of an integer-only operator: layout E, no scale
  const void* bias = nullptr;  ///< float (bias_count,), or null
  size_t bias_count = 0;       ///< padded rows
};

/// Checks shapes, sizes and codebook values against docs/format.md sections 1 and 2, and returns the view.
/// Borders (bindings, plug-ins, loaders) call it once; kernels rely on it.
/// @param[in] place  begins the message, for example "PackedMatMul" or "PackedLSTM W".
/// @throws std::invalid_argument "[place] expected ..., received ...".
PackedMatrix view_packed_matrix(std::string_view place, const PackedArrays& arrays);

/// Returns `lstm_packed_rows(hidden_size)` after checking that hidden_size is in [1, 2^17].
/// @throws std::invalid_argument as above.
int64_t checked_lstm_packed_rows(std::string_view place, int64_t hidden_size);

}  // namespace whit
