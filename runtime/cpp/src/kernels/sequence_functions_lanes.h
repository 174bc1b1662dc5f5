/// The functions of sequence_functions.h in the vectors of lanes.h.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/lanes.h"
#include "kernels/sequence_functions.h"

namespace whit {
namespace {

constexpr size_t kBlock = 16;                 // lanes of a lane sum, whatever the vectors' width
constexpr int kParts = int(kBlock) / kLanes;  // vectors of a block

/// 16 floats: one step of a lane sum.
struct Block {
  Float part[kParts];
};

WHIT_LANE_FUNCTION Block load_block(const void* address) {
  Block block;
  for (int i = 0; i < kParts; ++i) {
    block.part[i] = load<Float>(static_cast<const char*>(address) + size_t(i) * sizeof(Float));
  }
  return block;
}

// The first `count` floats, then zeros.
WHIT_LANE_FUNCTION Block load_block(const void* address, size_t count) {
  float values[kBlock] = {};
  std::memcpy(values, address, std::min(count, kBlock) * sizeof(float));
  return load_block(values);
}

WHIT_LANE_FUNCTION void store_block(float* address, const Block& block, size_t count) {
  float values[kBlock];
  for (int i = 0; i < kParts; ++i) store(values + i * kLanes, block.part[i]);
  std::memcpy(address, values, count * sizeof(float));
}

WHIT_LANE_FUNCTION void store_block(float* address, const Block& block) {
  for (int i = 0; i < kParts; ++i) store(address + i * kLanes, block.part[i]);
}

WHIT_LANE_FUNCTION Block operator+(const Block& a, const Block& b) {
  Block sum;
  for (int i = 0; i < kParts; ++i) sum.part[i] = a.part[i] + b.part[i];
  return sum;
}

WHIT_LANE_FUNCTION Block operator*(const Block& a, const Block& b) {
  Block product;
  for (int i = 0; i < kParts; ++i) product.part[i] = a.part[i] * b.part[i];
  return product;
}

WHIT_LANE_FUNCTION Block operator-(const Block& a, float b) {
  Block difference;
  for (int i = 0; i < kParts; ++i) difference.part[i] = a.part[i] - b;
  return difference;
}

WHIT_LANE_FUNCTION Block operator*(const Block& a, float b) {
  Block product;
  for (int i = 0; i < kParts; ++i) product.part[i] = a.part[i] * b;
  return product;
}

// Adds halves: lanes 8 apart, then 4, 2 and 1. Addition commutes, so exchanged lanes hold the same sums.
WHIT_LANE_FUNCTION float total(const Block& lanes) {
  constexpr auto kAll = std::make_integer_sequence<int, kLanes>();
  Float sum;
  if constexpr (kParts == 4) {
    sum = (lanes.part[0] + lanes.part[2]) + (lanes.part[1] + lanes.part[3]);
  } else if constexpr (kParts == 2) {
    sum = lanes.part[0] + lanes.part[1];
  } else {
    sum = lanes.part[0];
  }
  if constexpr (kLanes > 8) sum = sum + exchange<8>(sum, kAll);
  if constexpr (kLanes > 4) sum = sum + exchange<4>(sum, kAll);
  sum = sum + exchange<2>(sum, kAll);
  sum = sum + exchange<1>(sum, kAll);
  return sum[0];
}

WHIT_TARGET void layer_norm_lanes(FloatView x, FloatView gain, FloatView bias, float epsilon, size_t num_cols,
                                  float* y) {
  const float inverse_count = 1.0f / float(num_cols);
  const size_t whole = num_cols / kBlock * kBlock;
  const size_t rest = num_cols - whole;
  Block sum{};
  for (size_t n = 0; n < whole; n += kBlock) sum = sum + load_block((x + n).data());
  sum = sum + load_block((x + whole).data(), rest);
  const float mean = total(sum) * inverse_count;

  Block squares{};
  for (size_t n = 0; n < whole; n += kBlock) {
    const Block d = load_block((x + n).data()) - mean;
    store_block(y + n, d);
    squares = squares + d * d;
  }
  store_block(y + whole, load_block((x + whole).data(), rest) - mean, rest);
  const Block last = load_block(y + whole, rest);
  squares = squares + last * last;
  const float factor = 1.0f / std::sqrt(total(squares) * inverse_count + epsilon);

  for (size_t n = 0; n < whole; n += kBlock) {
    const Block scaled = (load_block(y + n) * factor) * load_block((gain + n).data());
    store_block(y + n, scaled + load_block((bias + n).data()));
  }
  const Block scaled = (last * factor) * load_block((gain + whole).data(), rest);
  store_block(y + whole, scaled + load_block((bias + whole).data(), rest), rest);
}

WHIT_TARGET void swish_lanes(FloatView x, size_t num_values, float* y) {
  size_t i = 0;
  for (; i + kLanes <= num_values; i += kLanes) {
    const Float v = load<Float>((x + i).data());
    store(y + i, v * sigmoid(v));
  }
  if (i == num_values) return;
  const size_t num_bytes = (num_values - i) * sizeof(float);
  float rest[kLanes] = {};
  std::memcpy(rest, (x + i).data(), num_bytes);
  const Float v = load<Float>(rest);
  store(rest, v * sigmoid(v));
  std::memcpy(y + i, rest, num_bytes);
}

WHIT_TARGET void glu_lanes(FloatView a, FloatView b, size_t num_cols, float* y) {
  size_t n = 0;
  for (; n + kLanes <= num_cols; n += kLanes) {
    store(y + n, load<Float>((a + n).data()) * sigmoid(load<Float>((b + n).data())));
  }
  if (n == num_cols) return;
  const size_t num_bytes = (num_cols - n) * sizeof(float);
  float rest_a[kLanes] = {}, rest_b[kLanes] = {};
  std::memcpy(rest_a, (a + n).data(), num_bytes);
  std::memcpy(rest_b, (b + n).data(), num_bytes);
  store(rest_a, load<Float>(rest_a) * sigmoid(load<Float>(rest_b)));
  std::memcpy(y + n, rest_a, num_bytes);
}

WHIT_TARGET void depthwise_conv_lanes(const float* window, FloatView weight, FloatView bias,
                                      size_t kernel_size, size_t channels, float* y) {
  size_t c = 0;
  for (; c + kBlock <= channels; c += kBlock) {
    Block sum = load_block((bias + c).data());
    for (size_t j = 0; j < kernel_size; ++j) {
      const size_t at = j * channels + c;
      sum = sum + load_block((weight + at).data()) * load_block(window + at);
    }
    store_block(y + c, sum);
  }
  for (; c < channels; ++c) {
    float sum = bias[c];
    for (size_t j = 0; j < kernel_size; ++j) sum = sum + weight[j * channels + c] * window[j * channels + c];
    y[c] = sum;
  }
}

WHIT_LANE_FUNCTION float dot(const float* a, const float* b, size_t count) {
  Block sum{};
  for (size_t c = 0; c < count; c += kBlock) sum = sum + load_block(a + c) * load_block(b + c);
  return total(sum);
}

// Turns scores into e^(score - greatest), 0 where a row takes no part, and returns their sum.
WHIT_LANE_FUNCTION float exponentials(const HeadWindow& window, float greatest, float* weights) {
  Block sum{};
  for (size_t j = 0; j < window.num_keys; j += kBlock) {
    for (int i = 0; i < kParts; ++i) {
      float* at = weights + j + i * kLanes;
      const Float e = exp(load<Float>(at) - greatest);
      const Float kept = float_of(bits_of(e) & load<Int>(window.takes_part + j + i * kLanes));
      store(at, kept);
      sum.part[i] = sum.part[i] + kept;
    }
  }
  return total(sum);
}

WHIT_TARGET void attend_lanes(const HeadWindow& window, const float* content_query,
                              const float* position_query, float* weights, float* y) {
  const size_t stride = window.stride;
  const size_t padded_keys = (window.num_keys + kBlock - 1) / kBlock * kBlock;
  float greatest = -std::numeric_limits<float>::infinity();
  for (size_t j = 0; j < window.num_keys; ++j) {
    weights[j] = 0.0f;
    if (!window.takes_part[j]) continue;
    const float content = dot(content_query, window.keys + j * stride, stride);
    const float position = dot(position_query, window.positions + j * stride, stride);
    weights[j] = (content + position) * window.scale;
    greatest = weights[j] > greatest ? weights[j] : greatest;
  }
  std::fill(weights + window.num_keys, weights + padded_keys, 0.0f);
  const float inverse = 1.0f / exponentials(window, greatest, weights);
  for (size_t c = 0; c < stride; c += kBlock) {
    Block sum{};
    for (size_t j = 0; j < window.num_keys; ++j) {
      if (!window.takes_part[j]) continue;
      sum = sum + load_block(window.values + j * stride + c) * (weights[j] * inverse);
    }
    store_block(y + c, sum);
  }
}

constexpr SequenceFunctions make_sequence_functions(Isa isa) {
  return {
      .isa = isa,
      .layer_norm = layer_norm_lanes,
      .swish = swish_lanes,
      .glu = glu_lanes,
      .depthwise_conv = depthwise_conv_lanes,
      .attend = attend_lanes,
  };
}

}  // namespace
}  // namespace whit
