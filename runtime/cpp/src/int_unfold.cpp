#include "whit/int_unfold.h"

#include <algorithm>
#include <cstring>

#include "whit/fail.h"

namespace whit {
namespace {

constexpr size_t kTaps = 3;  // of time and of frequency
constexpr size_t kPatch = kTaps * kTaps;
constexpr size_t kLanes = 16;

typedef int8_t Bytes __attribute__((vector_size(kLanes)));

Bytes load(const int8_t* from) {
  Bytes bytes;
  std::memcpy(&bytes, from, sizeof(bytes));
  return bytes;
}

// The lower or the upper halves of two vectors, in turn: a[0], b[0], a[1], b[1] and so on.
Bytes interleave_low(Bytes a, Bytes b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
Bytes interleave_high(Bytes a, Bytes b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

// One of the three stages that transpose eight vectors: the k-th meets the one four behind.
void interleave_halves(const Bytes (&in)[8], Bytes (&out)[8]) {
  for (size_t k = 0; k < 4; ++k) {
    out[2 * k] = interleave_low(in[k], in[k + 4]);
    out[2 * k + 1] = interleave_high(in[k], in[k + 4]);
  }
}

// Where the channels of one tap lie; outside the grid the same 16 bytes of padding serve all channels.
struct Tap {
  const int8_t* channels;
  size_t step;  // to the next 16 channels
};

// 16 channels of a patch: patch[9 c + tap] = taps[tap].channels[c].
void write_channels(const Tap (&taps)[kPatch], int8_t* patch) {
  Bytes first[8], second[8];
  for (size_t tap = 0; tap < 8; ++tap) first[tap] = load(taps[tap].channels);
  interleave_halves(first, second);
  interleave_halves(second, first);
  interleave_halves(first, second);  // two channels of eight taps in each
  for (size_t c = 0; c < kLanes; ++c, patch += kPatch) {
    std::memcpy(patch, reinterpret_cast<const int8_t*>(second) + 8 * c, 8);
    patch[8] = taps[8].channels[c];
  }
}

void write_patch(Tap (&taps)[kPatch], size_t channels, int8_t* patch) {
  for (; channels >= kLanes; channels -= kLanes, patch += kLanes * kPatch) {
    write_channels(taps, patch);
    for (Tap& tap : taps) tap.channels += tap.step;
  }
  for (size_t tap = 0; tap < kPatch; ++tap) {
    for (size_t c = 0; c < channels; ++c) patch[c * kPatch + tap] = taps[tap].channels[c];
  }
}

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
  int8_t padding[kLanes];
  std::fill_n(padding, kLanes, zero);
  for (size_t t = 0; t < (num_rows + 1) / 2; ++t) {
    for (size_t f = 0; f < shape.frequencies_out(); ++f, y += shape.patch_size()) {
      Tap taps[kPatch];
      for (size_t i = 0; i < kTaps; ++i) {
        for (size_t j = 0; j < kTaps; ++j) {
          const size_t time = 2 * t + i - 1, frequency = 2 * f + j - 1;  // wrap round below 0: outside, too
          const bool inside = time < num_rows && frequency < shape.frequencies;
          taps[kTaps * i + j] =
              inside ? Tap{x + time * shape.width() + frequency * shape.channels, kLanes} : Tap{padding, 0};
        }
      }
      write_patch(taps, shape.channels, y);
    }
  }
}

void distance_rows(const int8_t* table, size_t num_frames, size_t width, size_t num_rows, int8_t* y) {
  const size_t count = num_distance_rows(num_rows) * width;
  if (count != 0) std::memcpy(y, table + (num_frames - num_rows) * width, count);
}

}  // namespace whit
