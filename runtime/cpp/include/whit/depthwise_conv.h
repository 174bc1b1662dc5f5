#pragma once

#include <cstddef>
#include <cstdint>

#include "whit/float_view.h"

namespace whit {

struct DepthwiseConvShape {
  size_t num_frames;
  size_t kernel_size;
  size_t channels;
};

/// Returns the scratch bytes `depthwise_conv` needs.
uint64_t depthwise_conv_scratch_bytes(const DepthwiseConvShape& shape);

/// Convolves each channel with its own weights over the frames so far (operator DepthwiseConv1d).
/// @param[in]  x           (num_frames, channels)
/// @param[in]  cache       (kernel_size - 1, channels)
/// @param[in]  weight      (kernel_size, channels)
/// @param[in]  bias        (channels,)
/// @param[out] y           (num_frames, channels)
/// @param[out] cache_next  (kernel_size - 1, channels)
/// @param      scratch     (depthwise_conv_scratch_bytes,), 64-byte aligned
void depthwise_conv(const DepthwiseConvShape& shape, FloatView x, FloatView cache, FloatView weight,
                    FloatView bias, float* y, float* cache_next, std::byte* scratch);

}  // namespace whit
