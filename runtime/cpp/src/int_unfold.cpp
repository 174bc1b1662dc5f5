#include "whit/int_unfold.h"

#include <cstring>

#include "whit/fail.h"

namespace whit {
namespace {

constexpr size_t kTaps = 3;  // of time and of frequency

}  // namespace

IntUnfoldShape checked_int_unfold_shape(std::string_view place, int64_t num_frames, int64_t width,
                                        int64_t channels, int64_t zero) {
  if (channels < 1 || width < 1 || width % channels) {
    fail(place, "a width that is a multiple of channels", text(width, " and ", channels));
  }
  if (zero < INT8_MIN || zero > INT8_MAX) fail(place, "zero in [-128, 127]", text(zero));
  return {.num_frames = size_t(num_frames),
          .frequencies = size_t(width / channels),
          .channels = size_t(channels)};
}

void int_unfold2d(const IntUnfoldShape& shape, const int8_t* x, size_t num_rows, int8_t zero, int8_t* y) {
  const size_t channels = shape.channels;
  for (size_t t = 0; t < (num_rows + 1) / 2; ++t) {
    for (size_t f = 0; f < shape.frequencies_out(); ++f, y += shape.patch_size()) {
      for (size_t i = 0; i < kTaps; ++i) {
        for (size_t j = 0; j < kTaps; ++j) {
          const size_t time = 2 * t + i - 1, frequency = 2 * f + j - 1;  // wrap round below 0: outside, too
          const bool inside = time < num_rows && frequency < shape.frequencies;
          const int8_t* in = inside ? x + time * shape.width() + frequency * channels : nullptr;
          int8_t* out = y + kTaps * i + j;
          for (size_t c = 0; c < channels; ++c) out[c * kTaps * kTaps] = inside ? in[c] : zero;
        }
      }
    }
  }
}

void distance_rows(const int8_t* table, size_t num_frames, size_t width, size_t num_rows, int8_t* y) {
  const size_t count = num_distance_rows(num_rows) * width;
  if (count != 0) std::memcpy(y, table + (num_frames - num_rows) * width, count);
}

}  // namespace whit
