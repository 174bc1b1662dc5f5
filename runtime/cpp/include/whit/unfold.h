#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "whit/float_view.h"

namespace whit {

struct UnfoldShape {
  size_t num_frames;  ///< even
  size_t frequencies;
  size_t channels;

  size_t frequencies_out() const { return frequencies / 2 + 1; }
  size_t width() const { return frequencies * channels; }
  size_t num_patches() const { return num_frames / 2 * frequencies_out(); }
  size_t patch_size() const { return 9 * channels; }
};

/// Returns the shape of an operator's input.
/// @param[in] place  begins the message.
/// @throws Failure frames are odd, or channels do not divide the width.
UnfoldShape checked_unfold_shape(std::string_view place, int64_t num_frames, int64_t width, int64_t channels);

/// Puts the inputs of a 3 x 3 convolution of stride 2 side by side (operator Unfold2d).
/// @param[in]  x           (num_frames, frequencies, channels)
/// @param[in]  cache       (2, frequencies, channels)
/// @param[out] y           (num_frames / 2, frequencies_out, channels, 9)
/// @param[out] cache_next  (2, frequencies, channels)
void unfold2d(const UnfoldShape& shape, FloatView x, FloatView cache, float* y, float* cache_next);

}  // namespace whit
