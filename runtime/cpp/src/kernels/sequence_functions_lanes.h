/// The functions of sequence_functions.h in the vectors of lanes.h.
#include <algorithm>
#include <cmath>

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

}  // namespace
}  // namespace whit
