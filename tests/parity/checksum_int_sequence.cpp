// A checksum of the integer operators between products, over rows of widths that are no whole vectors, with
// the greatest magnitudes among their values.

#include <cstdint>
#include <limits>
#include <vector>

#include "whit/aligned_buffer.h"
#include "whit/int_layer_norm.h"
#include "whit/int_relative_attention.h"
#include "whit/int_table.h"
#include "whit/int_unfold.h"

namespace {

constexpr int32_t kHalf = 1 << 30;

struct Numbers {
  uint32_t state = 7;

  uint32_t next() {
    state = state * 1664525u + 1013904223u;
    return state >> 8;
  }

  template <typename T>
  std::vector<T> vector(size_t count) {
    std::vector<T> values(count);
    for (T& value : values) {
      const uint32_t bits = next();
      value = T(bits);
      if (bits % 11 == 0) value = std::numeric_limits<T>::min();
      if (bits % 11 == 1) value = std::numeric_limits<T>::max();
    }
    return values;
  }

  std::vector<int32_t> multipliers(size_t count, bool negative) {
    std::vector<int32_t> values(count);
    for (int32_t& value : values) {
      value = int32_t(next() % uint32_t(kHalf)) + kHalf;
      if (next() % 5 == 0) value = 0;
      if (negative && next() % 3 == 0) value = -value;
    }
    return values;
  }

  std::vector<int32_t> numbers(size_t count, int32_t low, int32_t high) {
    std::vector<int32_t> values(count);
    for (int32_t& value : values) value = low + int32_t(next() % uint32_t(high - low + 1));
    return values;
  }
};

struct Checksum {
  uint64_t value = 1469598103934665603u;  // FNV-1a

  template <typename T>
  void add(const std::vector<T>& values) {
    for (const T element : values) value = (value ^ uint64_t(int64_t(element))) * 1099511628211u;
  }
};

void add_rows(Numbers& numbers, size_t width, Checksum& sum) {
  constexpr size_t kRows = 5;
  const auto x = numbers.vector<int8_t>(kRows * 2 * width);
  std::vector<int8_t> y(kRows * 2 * width), half(kRows * width);
  const auto table = numbers.vector<int8_t>(256);
  whit::int_table(x.data(), table.data(), x.size(), y.data());
  sum.add(y);
  const auto gate = numbers.vector<int16_t>(256);
  whit::int_glu(x.data(), gate.data(), kRows, width,
                {.multiplier = kHalf + 12345, .shift = 44, .low = -127, .high = 127}, half.data());
  sum.add(half);

  const auto multiplier = numbers.multipliers(width, true);
  const auto shift = numbers.numbers(width, 16, 62), bias = numbers.numbers(width, -(1 << 20), 1 << 20);
  const whit::IntLayerNorm norm{.num_cols = width,
                                .multiplier = multiplier.data(),
                                .shift = shift.data(),
                                .bias = bias.data(),
                                .epsilon = int32_t(width),
                                .low = -32767,
                                .high = 32767};
  whit::check_int_layer_norm("checksum", norm, 16);
  auto wide = numbers.vector<int16_t>(kRows * width);
  for (size_t i = 0; i < width; ++i) wide[i] = int16_t(i % 3);  // a row that hardly varies
  std::vector<int16_t> normalised(wide.size());
  whit::int_layer_norm(norm, wide.data(), kRows, normalised.data());
  sum.add(normalised);

  for (const size_t channels : {size_t{2}, width}) {
    const auto unfold =
        whit::checked_int_unfold_shape("checksum", kRows, int64_t(2 * width), int64_t(channels), -128);
    std::vector<int8_t> patches(unfold.num_patches() * unfold.patch_size());
    whit::int_unfold2d(unfold, x.data(), 4, -128, patches.data());
    sum.add(patches);
  }
}

void add_attention(Numbers& numbers, size_t num_frames, size_t head_width, Checksum& sum) {
  constexpr size_t kHeads = 2;
  const size_t count = num_frames * kHeads * head_width;
  const whit::IntAttentionConstants constants{
      .content_multiplier = kHalf + 777,
      .content_shift = 36,
      .position_multiplier = kHalf + 999,
      .position_shift = 35,
      .result = {.multiplier = kHalf + 5, .shift = 45, .low = -128, .high = 127}};
  const auto shape =
      whit::checked_int_attention("checksum", int64_t(num_frames), int64_t(kHeads * head_width),
                                  int64_t(2 * num_frames - 1), int64_t(kHeads), constants);
  const auto qu = numbers.vector<int8_t>(count), qw = numbers.vector<int8_t>(count);
  const auto k = numbers.vector<int8_t>(count), v = numbers.vector<int8_t>(count);
  const auto positions = numbers.vector<int8_t>(shape.num_positions() * shape.width);
  const whit::AlignedBuffer scratch(whit::int_relative_attention_scratch_bytes(shape));
  for (const size_t num_rows : {size_t{0}, size_t{1}, num_frames}) {
    std::vector<int8_t> y(count);
    whit::int_relative_attention(
        shape, constants,
        {.qu = qu.data(), .qw = qw.data(), .k = k.data(), .v = v.data(), .positions = positions.data()},
        num_rows, y.data(), scratch.data(), nullptr);
    sum.add(y);
  }
}

}  // namespace

uint64_t checksum_int_sequence() {
  Numbers numbers;
  Checksum sum;
  for (const size_t width : {1, 15, 16, 33, 64, 100, 341}) add_rows(numbers, width, sum);
  for (const size_t num_frames : {1, 15, 17, 66}) {
    for (const size_t head_width : {1, 4, 17, 44, 66}) add_attention(numbers, num_frames, head_width, sum);
  }
  return sum.value;
}
