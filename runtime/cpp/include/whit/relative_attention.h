#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "whit/float_view.h"

namespace whit {

struct AttentionShape {
  size_t num_frames;  ///< of the chunk
  size_t left;        ///< frames of the cache
  size_t width;       ///< a multiple of heads
  size_t heads;

  size_t num_keys() const { return left + num_frames; }
  size_t num_positions() const { return left + 2 * num_frames - 1; }
  size_t cache_width() const { return 2 * width + 1; }
  size_t head_width() const { return width / heads; }
};

/// Returns the shape of an operator's inputs.
/// @param[in] place  begins the message.
/// @throws Failure the sizes contradict one another (docs/format.md, section 3).
AttentionShape checked_attention_shape(std::string_view place, int64_t num_frames, int64_t left,
                                       int64_t width, int64_t cache_width, int64_t num_positions,
                                       int64_t heads);

struct AttentionInputs {
  FloatView q, k, v;        ///< (num_frames, width)
  FloatView cache;          ///< (left, cache_width): rows [k | v | valid]
  FloatView positions;      ///< (num_positions, width)
  FloatView content_bias;   ///< (width,): u
  FloatView position_bias;  ///< (width,): w
};

/// Returns the scratch bytes `relative_attention` needs.
uint64_t relative_attention_scratch_bytes(const AttentionShape& shape);

/// Attends from each frame of a chunk to the chunk and the frames before it (operator RelativeAttention).
/// @param[out] y           (num_frames, width)
/// @param[out] cache_next  (left, cache_width)
/// @param      scratch     (relative_attention_scratch_bytes,), 64-byte aligned
void relative_attention(const AttentionShape& shape, const AttentionInputs& inputs, float* y,
                        float* cache_next, std::byte* scratch);

}  // namespace whit
