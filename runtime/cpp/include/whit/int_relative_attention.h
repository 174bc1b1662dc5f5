#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "whit/int_table.h"
#include "whit/workers.h"

namespace whit {

struct IntAttentionShape {
  size_t num_frames;
  size_t width;  ///< a multiple of heads
  size_t heads;

  size_t num_positions() const { return num_frames == 0 ? 0 : 2 * num_frames - 1; }
  size_t head_width() const { return width / heads; }
};

/// The constants of an IntRelativeAttention (docs/format.md, section 10).
struct IntAttentionConstants {
  int32_t content_multiplier, content_shift;
  int32_t position_multiplier, position_shift;
  IntOutput result;
};

/// Returns the shape of an operator's inputs.
/// @param[in] place  begins the message.
/// @throws Failure the sizes contradict one another or a constant is out of its range.
IntAttentionShape checked_int_attention(std::string_view place, int64_t num_frames, int64_t width,
                                        int64_t num_positions, int64_t heads,
                                        const IntAttentionConstants& constants);

struct IntAttentionInputs {
  const int8_t* qu;         ///< (num_frames, width)
  const int8_t* qw;         ///< (num_frames, width)
  const int8_t* k;          ///< (num_frames, width)
  const int8_t* v;          ///< (num_frames, width)
  const int8_t* positions;  ///< (num_positions, width)
};

/// Returns the scratch bytes `int_relative_attention` needs.
uint64_t int_relative_attention_scratch_bytes(const IntAttentionShape& shape);

/// Attends from each frame of an utterance to all of it (operator IntRelativeAttention).
/// @param[in]  num_rows  of the utterance; at most num_frames
/// @param[out] y         (num_frames, width), of which num_rows are written
/// @param      scratch   (int_relative_attention_scratch_bytes,), 64-byte aligned
/// @param[in]  workers   share the heads; may be null
void int_relative_attention(const IntAttentionShape& shape, const IntAttentionConstants& constants,
                            const IntAttentionInputs& inputs, size_t num_rows, int8_t* y, std::byte* scratch,
                            Workers* workers);

}  // namespace whit
