// A checksum of the integer convolutions, with channels and frames that are no whole tiles; weights start at
// an odd address. Every kernel is compared with the plain one.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "whit/aligned_buffer.h"
#include "whit/depthwise_kernel.h"
#include "whit/int_conv.h"
#include "whit/int_depthwise_conv.h"
#include "whit/packed_view.h"

namespace {

struct Numbers {
  uint32_t state = 11;

  uint32_t next() {
    state = state * 1664525u + 1013904223u;
    return state >> 8;
  }
};

/// A matrix whose codes are linear and symmetric, as those of integer-only models.
struct Codes {
  Codes(size_t rows, size_t cols, int bits, Numbers& numbers)
      : data(whit::padded(rows) / 8 * whit::padded(cols) * size_t(bits) + 1) {
    const size_t width = whit::codebook_width(whit::Layout::kE, bits),
                 tiles = whit::padded(rows) / whit::kTileRows;
    for (size_t i = 0; i < tiles * width; ++i) {
      const int index = int(i % width % (size_t{1} << bits));
      codebook.push_back(int8_t((index ? index : 1) - (1 << (bits - 1))));
    }
    for (uint8_t& byte : data) byte = uint8_t(numbers.next());
    for (uint8_t& byte : data) byte = bits == 8 && byte == 0 ? 1 : byte;  // index 0 is unused
    view = whit::view_packed_matrix("checksum", {.rows = int64_t(rows),
                                                 .cols = int64_t(cols),
                                                 .bits = bits,
                                                 .layout = "E",
                                                 .data = data.data() + 1,
                                                 .data_bytes = data.size() - 1,
                                                 .codebook = width ? codebook.data() : nullptr,
                                                 .codebook_tiles = tiles,
                                                 .codebook_width = width,
                                                 .scale = nullptr,
                                                 .scale_count = 0,
                                                 .integer = true});
  }

  std::vector<uint8_t> data;
  std::vector<int8_t> codebook;
  whit::PackedMatrix view;
};

whit::ConvOutputs random_outputs(size_t padded_rows, int32_t bits, Numbers& numbers) {
  whit::ConvOutputs outputs{
      .bias = {}, .multiplier = {}, .shift = {}, .zero = 0, .low = 0, .high = 0, .bits = bits};
  for (size_t row = 0; row < padded_rows; ++row) {
    outputs.bias.push_back(int32_t(numbers.next() % 20001) - 10000);
    outputs.multiplier.push_back(int32_t((1u << 30) + numbers.next()));
    outputs.shift.push_back(int32_t(bits == 8 ? 38 + row % 4 : 32 + row % 8));
  }
  outputs.zero = bits == 8 ? -128 : 0;
  outputs.low = bits == 8 ? -128 : -32767;
  outputs.high = bits == 8 ? 127 : 32767;
  return outputs;
}

std::vector<int8_t> random_rows(size_t count, Numbers& numbers) {
  std::vector<int8_t> x(count);
  for (int8_t& value : x) value = numbers.next() % 5 ? int8_t(numbers.next()) : int8_t(-128);
  return x;
}

void make_least(Codes& w, std::vector<int8_t>& x) {
  std::ranges::fill(w.data, uint8_t{0});
  std::ranges::fill(x, int8_t{-128});
}

template <typename T>
void compare(const std::vector<T>& plain, const std::vector<T>& other, const char* name) {
  if (plain == other) return;
  std::fprintf(stderr, "%s: integer convolution differs\n", name);
  std::exit(1);
}

template <typename T>
void add(uint64_t& sum, const std::vector<T>& values) {
  for (const T value : values) sum = (sum ^ uint64_t(int64_t(value))) * 1099511628211u;  // FNV-1a
}

enum class Values {
  kRandom,
  kLeast,  ///< activations of -128 and, of 8 bits, codes of the unused index 0, which is -128, too
};

template <typename T>
void add_conv(uint64_t& sum, int bits, Numbers& numbers, Values values = Values::kRandom) {
  constexpr size_t kFrames = 45, kChannels = 37, kRows = 43, kTaps = 17;  // two strips of columns
  Codes w(kRows, kTaps * kChannels, bits, numbers);
  const whit::IntConv conv = whit::checked_int_conv(
      "checksum", w.view, {.kernel_size = kTaps, .stride = 1, .dilation = 2, .padding = 13}, kFrames,
      kChannels, -128, random_outputs(whit::padded(kRows), 8 * sizeof(T), numbers));
  std::vector<int8_t> x = random_rows(kFrames * kChannels, numbers);
  if (values == Values::kLeast) make_least(w, x);
  const size_t count = conv.geometry.out_rows(kFrames) * kRows;
  std::vector<int16_t> addend(count);
  for (int16_t& value : addend) value = int16_t(numbers.next() % 201) - 100;
  std::vector<T> plain;
  for (const whit::MatmulKernel* kernel : whit::matmul_kernels()) {
    if (!kernel->serves(w.view.layout, bits)) continue;
    std::vector<T> y(count);
    const whit::AlignedBuffer scratch(whit::int_conv_scratch_bytes(*kernel, conv));
    whit::int_conv(*kernel, conv, x.data(), kFrames - 4, addend.data(), y.data(), scratch.data());
    if (plain.empty()) plain = y;
    compare(plain, y, kernel->name);
  }
  add(sum, plain);
}

struct Window {
  size_t taps;
  size_t stride;
  size_t dilation;
  size_t num_frames = 90;
};

void add_depthwise(uint64_t& sum, int bits, const Window& window, Numbers& numbers,
                   Values values = Values::kRandom) {
  constexpr size_t kChannels = 21;
  const size_t num_frames = window.num_frames;
  Codes w(kChannels, window.taps, bits, numbers);
  const whit::IntDepthwiseConv conv = whit::checked_int_depthwise_conv(
      "checksum", w.view,
      {.kernel_size = int64_t(window.taps),
       .stride = int64_t(window.stride),
       .dilation = int64_t(window.dilation),
       .padding = int64_t(window.taps)},
      int64_t(num_frames), kChannels, -128, random_outputs(whit::padded(kChannels), 8, numbers));
  std::vector<int8_t> x = random_rows(num_frames * kChannels, numbers);
  if (values == Values::kLeast) make_least(w, x);
  std::vector<int8_t> plain;
  for (const whit::DepthwiseKernel* kernel : whit::depthwise_kernels()) {
    std::vector<int8_t> y(conv.geometry.out_rows(num_frames) * kChannels);
    whit::int_depthwise_conv(*kernel, conv, x.data(), int32_t(num_frames) - 7, y.data());
    if (plain.empty()) plain = y;
    compare(plain, y, kernel->name);
  }
  add(sum, plain);
}

}  // namespace

uint64_t checksum_int_conv() {
  Numbers numbers;
  uint64_t sum = 1469598103934665603u;
  for (int bits = 2; bits <= 8; ++bits) {
    add_conv<int8_t>(sum, bits, numbers);
    add_conv<int16_t>(sum, bits, numbers);
    add_depthwise(sum, bits, {.taps = 33, .stride = 1 + size_t(bits) % 2, .dilation = 1 + size_t(bits) % 3},
                  numbers);
  }
  add_depthwise(sum, 8, {.taps = 87, .stride = 1, .dilation = 2}, numbers);
  // Longer than a block of frames, whose rows are no multiple of the dilation.
  for (const size_t dilation : {3, 5, 64}) {
    add_depthwise(sum, 8, {.taps = 3, .stride = 1, .dilation = dilation, .num_frames = 700}, numbers);
  }
  add_conv<int8_t>(sum, 8, numbers, Values::kLeast);
  add_conv<int16_t>(sum, 8, numbers, Values::kLeast);
  add_depthwise(sum, 8, {.taps = 33, .stride = 1, .dilation = 1}, numbers, Values::kLeast);
  return sum;
}
