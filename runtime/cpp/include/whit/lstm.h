#pragma once

#include <cstddef>

#include "whit/float_view.h"
#include "whit/packed_matrix.h"

namespace whit {

/// Returns the rows of an LSTM's packed matrices: 16 for every 4 units, a multiple of 32.
constexpr size_t lstm_packed_rows(size_t hidden_size) { return (hidden_size + 7) / 8 * 32; }

/// One LSTM layer: two packed matrices in LSTM row order (docs/format.md, section 2).
struct PackedLstm {
  size_t hidden_size;
  PackedMatrix w;  ///< (lstm_packed_rows, input_size), with the bias
  PackedMatrix r;  ///< (lstm_packed_rows, hidden_size), no bias
};

/// Returns the scratch bytes `lstm` needs for `num_frames` frames.
size_t lstm_scratch_bytes(const PackedLstm& layer, size_t num_frames);

/// Runs an LSTM layer over a chunk of frames (operator PackedLSTM, docs/format.md section 3).
/// @param[in]     x        (num_frames, w.cols)
/// @param[in,out] h        (hidden_size,)
/// @param[in,out] c        (hidden_size,)
/// @param[out]    y        (num_frames, hidden_size)
/// @param         scratch  (lstm_scratch_bytes,), 64-byte aligned
void lstm(const PackedLstm& layer, FloatView x, size_t num_frames, float* h, float* c, float* y,
          std::byte* scratch);

}  // namespace whit
