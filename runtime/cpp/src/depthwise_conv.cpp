#include "whit/depthwise_conv.h"

#include <cstring>

#include "kernels/sequence_functions.h"

namespace whit {

uint64_t depthwise_conv_scratch_bytes(const DepthwiseConvShape& shape) {
  const uint64_t num_bytes =
      (uint64_t{shape.kernel_size} - 1 + shape.num_frames) * shape.channels * sizeof(float);
  return (num_bytes + 63) / 64 * 64;
}

void depthwise_conv(const DepthwiseConvShape& shape, FloatView x, FloatView cache, FloatView weight,
                    FloatView bias, float* y, float* cache_next, std::byte* scratch) {
  const SequenceFunctions& functions = sequence_functions();
  const size_t history = (shape.kernel_size - 1) * shape.channels;
  const size_t count = shape.num_frames * shape.channels;
  auto* window = reinterpret_cast<float*>(scratch);  // (kernel_size - 1 + num_frames, channels)
  std::memcpy(window, cache.data(), history * sizeof(float));
  std::memcpy(window + history, x.data(), count * sizeof(float));
  for (size_t t = 0; t < shape.num_frames; ++t) {
    const size_t at = t * shape.channels;
    functions.depthwise_conv(window + at, weight, bias, shape.kernel_size, shape.channels, y + at);
  }
  std::memcpy(cache_next, window + count, history * sizeof(float));
}

}  // namespace whit
