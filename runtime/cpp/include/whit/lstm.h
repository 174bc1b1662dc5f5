#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "whit/float_view.h"
#include "whit/packed_matrix.h"
#include "whit/workers.h"

namespace whit {

/// Returns the rows of an LSTM's packed matrices: 16 for every 4 units, a multiple of 32.
constexpr size_t lstm_packed_rows(size_t hidden_size) { return (hidden_size + 7) / 8 * 32; }

/// One LSTM layer: two packed matrices in LSTM row order (docs/format.md, section 2), and one more where the
/// layer's output is projected to a smaller size before it is fed back.
struct PackedLstm {
  size_t hidden_size;
  PackedMatrix w;                                ///< (lstm_packed_rows, input_size), with the bias
  PackedMatrix r;                                ///< (lstm_packed_rows, output_size), no bias
  std::optional<PackedMatrix> p = std::nullopt;  ///< (output_size, hidden_size), plain row order, no bias

  /// Returns the size of h and y: hidden_size, or that of the projection.
  size_t output_size() const { return p ? p->rows : hidden_size; }
};

/// How much an LSTM does in one call: the same number of frames of each stream.
struct LstmBatch {
  size_t num_streams = 1;
  size_t num_frames;
};

/// Returns the scratch bytes `lstm` needs.
uint64_t lstm_scratch_bytes(const PackedLstm& layer, const LstmBatch& batch);

/// Runs an LSTM layer over a chunk of frames (operators PackedLSTM and PackedLSTMP, docs/format.md section
/// 3). Streams share each weight that is read, and nothing else: the result of one does not depend on the
/// others.
/// @param[in]     x        (num_streams, num_frames, w.cols)
/// @param[in,out] h        (num_streams, output_size)
/// @param[in,out] c        (num_streams, hidden_size)
/// @param[out]    y        (num_streams, num_frames, output_size)
/// @param         scratch  (lstm_scratch_bytes,), 64-byte aligned
/// @param[in]     workers  share the super-tiles; the result does not depend on their number
void lstm(const PackedLstm& layer, FloatView x, const LstmBatch& batch, float* h, float* c, float* y,
          std::byte* scratch, Workers* workers = nullptr);

/// The same for one stream.
inline uint64_t lstm_scratch_bytes(const PackedLstm& layer, size_t num_frames) {
  return lstm_scratch_bytes(layer, LstmBatch{.num_frames = num_frames});
}
inline void lstm(const PackedLstm& layer, FloatView x, size_t num_frames, float* h, float* c, float* y,
                 std::byte* scratch) {
  lstm(layer, x, LstmBatch{.num_frames = num_frames}, h, c, y, scratch);
}

}  // namespace whit
