#include "whit/relative_attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/sequence_functions.h"
#include "whit/fail.h"

namespace whit {
namespace {

size_t whole_blocks(size_t count) { return (count + 15) / 16 * 16; }

// The rows of one head, each padded with zeros to whole blocks, and what one query needs.
class Scratch {
 public:
  Scratch(const AttentionShape& shape, std::byte* memory)
      : stride(whole_blocks(shape.head_width())), next_(reinterpret_cast<float*>(memory)) {
    keys = take(shape.num_keys() * stride);
    values = take(shape.num_keys() * stride);
    positions = take(shape.num_positions() * stride);
    content_query = take(stride);
    position_query = take(stride);
    y = take(stride);
    weights = take(whole_blocks(shape.num_keys()));
    takes_part = reinterpret_cast<int32_t*>(take(whole_blocks(shape.num_keys())));
  }

  static uint64_t num_bytes(const AttentionShape& shape) {
    const uint64_t num_rows = uint64_t{2} * shape.num_keys() + shape.num_positions() + 3;
    return (num_rows * whole_blocks(shape.head_width()) + uint64_t{2} * whole_blocks(shape.num_keys())) *
           sizeof(float);
  }

  size_t stride;
  float* keys;            // (num_keys, stride)
  float* values;          // (num_keys, stride)
  float* positions;       // (num_positions, stride)
  float* content_query;   // (stride,)
  float* position_query;  // (stride,)
  float* y;               // (stride,)
  float* weights;         // (num_keys, in whole blocks)
  int32_t* takes_part;    // the same

 private:
  float* take(size_t count) {
    float* start = next_;
    next_ += count;
    return start;
  }

  float* next_;
};

// Copies `width` floats of every row and pads them with zeros.
void copy_rows(FloatView from, size_t num_rows, size_t row_width, size_t width, float* to, size_t stride) {
  for (size_t row = 0; row < num_rows; ++row) {
    std::memcpy(to + row * stride, (from + row * row_width).data(), width * sizeof(float));
    std::fill(to + row * stride + width, to + (row + 1) * stride, 0.0f);
  }
}

void copy_head(const AttentionShape& shape, const AttentionInputs& in, size_t head, const Scratch& at) {
  const size_t width = shape.head_width(), first = head * width;
  const size_t chunk = shape.left * at.stride;
  copy_rows(in.cache + first, shape.left, shape.cache_width(), width, at.keys, at.stride);
  copy_rows(in.k + first, shape.num_frames, shape.width, width, at.keys + chunk, at.stride);
  copy_rows(in.cache + shape.width + first, shape.left, shape.cache_width(), width, at.values, at.stride);
  copy_rows(in.v + first, shape.num_frames, shape.width, width, at.values + chunk, at.stride);
  copy_rows(in.positions + first, shape.num_positions(), shape.width, width, at.positions, at.stride);
}

void add_bias(FloatView q, FloatView bias, size_t width, float* query, size_t stride) {
  for (size_t c = 0; c < width; ++c) query[c] = q[c] + bias[c];
  std::fill(query + width, query + stride, 0.0f);
}

void mark_valid(const AttentionShape& shape, FloatView cache, int32_t* takes_part) {
  std::fill(takes_part, takes_part + whole_blocks(shape.num_keys()), 0);
  for (size_t j = 0; j < shape.left; ++j) {
    takes_part[j] = cache[j * shape.cache_width() + 2 * shape.width] == 0.0f ? 0 : -1;
  }
  std::fill_n(takes_part + shape.left, shape.num_frames, -1);
}

void shift_cache(const AttentionShape& shape, const AttentionInputs& in, float* cache_next) {
  const size_t row_bytes = shape.width * sizeof(float);
  for (size_t j = 0; j < shape.left; ++j) {
    float* row = cache_next + j * shape.cache_width();
    const size_t from = shape.num_frames + j;  // in the window
    if (from < shape.left) {
      std::memcpy(row, (in.cache + from * shape.cache_width()).data(), shape.cache_width() * sizeof(float));
      continue;
    }
    const size_t frame = from - shape.left;
    std::memcpy(row, (in.k + frame * shape.width).data(), row_bytes);
    std::memcpy(row + shape.width, (in.v + frame * shape.width).data(), row_bytes);
    row[2 * shape.width] = 1.0f;
  }
}

}  // namespace

AttentionShape checked_attention_shape(std::string_view place, int64_t num_frames, int64_t left,
                                       int64_t width, int64_t cache_width, int64_t num_positions,
                                       int64_t heads) {
  if (heads < 1 || width < 1 || width % heads) {
    fail(place, "a width that is a multiple of heads", text(width, " and ", heads));
  }
  if (num_frames < 1) fail(place, "at least one frame", text(num_frames));
  if (cache_width != 2 * width + 1) fail(place, text("a cache of width ", 2 * width + 1), text(cache_width));
  if (num_positions != left + 2 * num_frames - 1) {
    fail(place, text("p of ", left + 2 * num_frames - 1, " rows"), text(num_positions));
  }
  return {
      .num_frames = size_t(num_frames), .left = size_t(left), .width = size_t(width), .heads = size_t(heads)};
}

uint64_t relative_attention_scratch_bytes(const AttentionShape& shape) { return Scratch::num_bytes(shape); }

void relative_attention(const AttentionShape& shape, const AttentionInputs& in, float* y, float* cache_next,
                        std::byte* scratch) {
  const SequenceFunctions& functions = sequence_functions();
  const Scratch at(shape, scratch);
  const size_t width = shape.head_width();
  const float scale = 1.0f / std::sqrt(float(width));
  mark_valid(shape, in.cache, at.takes_part);
  for (size_t head = 0; head < shape.heads; ++head) {
    copy_head(shape, in, head, at);
    for (size_t i = 0; i < shape.num_frames; ++i) {
      const size_t first = head * width;
      const FloatView q = in.q + i * shape.width + first;
      add_bias(q, in.content_bias + first, width, at.content_query, at.stride);
      add_bias(q, in.position_bias + first, width, at.position_query, at.stride);
      functions.attend({.num_keys = shape.num_keys(),
                        .stride = at.stride,
                        .keys = at.keys,
                        .values = at.values,
                        .positions = at.positions + (shape.num_frames - 1 - i) * at.stride,
                        .takes_part = at.takes_part,
                        .scale = scale},
                       at.content_query, at.position_query, at.weights, at.y);
      std::memcpy(y + i * shape.width + first, at.y, width * sizeof(float));
    }
  }
  shift_cache(shape, in, cache_next);
}

}  // namespace whit
