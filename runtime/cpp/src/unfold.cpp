#include "whit/unfold.h"

#include <cstring>

#include "whit/fail.h"

namespace whit {
namespace {

constexpr size_t kTaps = 3;  // of time and of frequency

// One patch: three frequencies of three rows; what lies outside is zero.
void unfold_patch(const UnfoldShape& shape, const FloatView (&rows)[kTaps], size_t f, float* patch) {
  for (size_t i = 0; i < kTaps; ++i) {
    for (size_t j = 0; j < kTaps; ++j) {
      const size_t frequency = 2 * f + j - 2;  // wraps round where it is negative: outside, too
      float* out = patch + kTaps * i + j;
      const bool inside = frequency < shape.frequencies;
      const FloatView in = inside ? rows[i] + frequency * shape.channels : FloatView();
      for (size_t c = 0; c < shape.channels; ++c) out[c * kTaps * kTaps] = inside ? in[c] : 0.0f;
    }
  }
}

}  // namespace

UnfoldShape checked_unfold_shape(std::string_view place, int64_t num_frames, int64_t width,
                                 int64_t channels) {
  if (num_frames % 2) fail(place, "an even number of frames", text(num_frames));
  if (channels < 1 || width < 1 || width % channels) {
    fail(place, "a width that is a multiple of channels", text(width, " and ", channels));
  }
  return {.num_frames = size_t(num_frames),
          .frequencies = size_t(width / channels),
          .channels = size_t(channels)};
}

void unfold2d(const UnfoldShape& shape, FloatView x, FloatView cache, float* y, float* cache_next) {
  const size_t width = shape.width();
  const auto row = [&](size_t window_row) {  // of the cache's two rows, then x
    return window_row < 2 ? cache + window_row * width : x + (window_row - 2) * width;
  };
  for (size_t t = 0; t < shape.num_frames / 2; ++t) {
    const FloatView rows[kTaps] = {row(2 * t), row(2 * t + 1), row(2 * t + 2)};
    for (size_t f = 0; f < shape.frequencies_out(); ++f) {
      unfold_patch(shape, rows, f, y + (t * shape.frequencies_out() + f) * shape.patch_size());
    }
  }
  for (size_t i = 0; i < 2; ++i) {
    std::memcpy(cache_next + i * width, row(shape.num_frames + i).data(), width * sizeof(float));
  }
}

}  // namespace whit
