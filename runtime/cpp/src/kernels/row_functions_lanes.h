/// The functions of row_functions.h in the vectors of lanes.h.
#include <bit>

#include "kernels/lanes.h"
#include "kernels/row_functions.h"
#include "whit/packed_matrix.h"

namespace whit {
namespace {

// Halves at a time: a loop over v[l] goes through memory.
template <int kCount>
WHIT_LANE_FUNCTION int32_t greatest(typename VectorOf<kCount>::Int v) {
  if constexpr (kCount == 1) {
    return v[0];
  } else {
    typename VectorOf<kCount / 2>::Int halves[2];
    std::memcpy(halves, &v, sizeof(v));
    return greatest<kCount / 2>(halves[0] > halves[1] ? halves[0] : halves[1]);
  }
}

struct Extrema {
  Int amax;  // of |a[k]|, as integers: the order is the same, and NaN and infinity are the greatest
  Int gmax;  // of groups of 4
};

WHIT_LANE_FUNCTION void visit(Extrema& extrema, Float a) {
  constexpr auto kAll = std::make_integer_sequence<int, kLanes>();
  const Float b = magnitude(a);
  const Float pairs = b + exchange<1>(b, kAll);
  const Float fours = pairs + exchange<2>(pairs, kAll);
  extrema.amax = greater(extrema.amax, bits_of(b));
  extrema.gmax = greater(extrema.gmax, bits_of(fours));
}

// The lowest byte of each lane. __builtin_convertvector would do, but GCC moves lane by lane for it.
template <int... kLane>
WHIT_LANE_FUNCTION Byte low_bytes(Int v, std::integer_sequence<int, kLane...>) {
  const auto bytes = (VectorOf<kLanes * 4>::Byte) v;
  return __builtin_shufflevector(bytes, bytes, (kLane * 4)...);
}

WHIT_LANE_FUNCTION Byte quantize(Float a, float inverse) {
  return low_bytes(bits_of(a * inverse + 12582912.0f), std::make_integer_sequence<int, kLanes>());
}

WHIT_TARGET float quantize_row_lanes(FloatView a, size_t num_values, int8_t* q, size_t num_quantized) {
  const size_t whole = num_values / kLanes * kLanes;
  float tail[kLanes] = {};
  for (size_t k = whole; k < num_values; ++k) tail[k - whole] = a[k];
  Extrema extrema{};
  for (size_t k = 0; k < whole; k += kLanes) visit(extrema, load<Float>((a + k).data()));
  visit(extrema, load<Float>(tail));
  const float scale = row_scale(std::bit_cast<float>(greatest<kLanes>(extrema.amax)),
                                std::bit_cast<float>(greatest<kLanes>(extrema.gmax)));
  if (!(scale > 0.0f)) {
    std::memset(q, 0, num_quantized);
    return scale;
  }
  const float inverse = 1.0f / scale;
  for (size_t k = 0; k < whole; k += kLanes) {
    store(q + k, quantize(load<Float>((a + k).data()), inverse));
  }
  int8_t last[kLanes];
  store(last, quantize(load<Float>(tail), inverse));
  std::memcpy(q + whole, last, num_values - whole);
  std::memset(q + num_values, 0, num_quantized - num_values);
  return scale;
}

WHIT_TARGET void scale_sums_lanes(const int32_t* sums, float lhs_scale, FloatView scale, FloatView bias,
                                  float* out) {
  for (size_t r = 0; r < kSuperTileRows; r += kLanes) {
    const Float sum = __builtin_convertvector(load<Int>(sums + r), Float);
    Float y = sum * (lhs_scale * load<Float>((scale + r).data()));
    if (bias) y = y + load<Float>((bias + r).data());
    store(out + r, y);
  }
}

template <typename Half, int... kLane>
WHIT_LANE_FUNCTION auto join(Half low, Half high, std::integer_sequence<int, kLane...>) {
  return __builtin_shufflevector(low, high, kLane...);
}

// Four lanes of one gate from each of kCount / 4 tiles.
template <int kCount>
WHIT_LANE_FUNCTION auto load_gate(const float* tiles) {
  if constexpr (kCount == 4) {
    return load<VectorOf<4>::Float>(tiles);
  } else {
    return join(load_gate<kCount / 2>(tiles), load_gate<kCount / 2>(tiles + kCount * 2),
                std::make_integer_sequence<int, kCount>());
  }
}

// kLanes units, kLanes / 4 tiles.
WHIT_LANE_FUNCTION void step(const float* wx, const float* rh, float* h, float* c) {
  const Float i = sigmoid(load_gate<kLanes>(wx) + load_gate<kLanes>(rh));
  const Float f = sigmoid(load_gate<kLanes>(wx + 4) + load_gate<kLanes>(rh + 4));
  const Float g = tanh(load_gate<kLanes>(wx + 8) + load_gate<kLanes>(rh + 8));
  const Float o = sigmoid(load_gate<kLanes>(wx + 12) + load_gate<kLanes>(rh + 12));
  const Float cell = f * load<Float>(c) + i * g;
  store(c, cell);
  store(h, o * tanh(cell));
}

WHIT_TARGET void lstm_gates_lanes(const float* wx, const float* rh, size_t num_units, float* h, float* c,
                                  float* y) {
  size_t unit = 0;
  for (; unit + kLanes <= num_units; unit += kLanes) step(wx + unit * 4, rh + unit * 4, h + unit, c + unit);
  if (unit < num_units) {
    const size_t count = num_units - unit;
    const size_t row_bytes = (count + 3) / 4 * kTileRows * sizeof(float);
    float tail_wx[4 * kLanes] = {}, tail_rh[4 * kLanes] = {}, tail_h[kLanes], tail_c[kLanes] = {};
    std::memcpy(tail_wx, wx + unit * 4, row_bytes);
    std::memcpy(tail_rh, rh + unit * 4, row_bytes);
    std::memcpy(tail_c, c + unit, count * sizeof(float));
    step(tail_wx, tail_rh, tail_h, tail_c);
    std::memcpy(h + unit, tail_h, count * sizeof(float));
    std::memcpy(c + unit, tail_c, count * sizeof(float));
  }
  std::memcpy(y, h, num_units * sizeof(float));
}

}  // namespace
}  // namespace whit
