/// Vectors of WHIT_LANES floats for the instruction set WHIT_TARGET: both are defined by the one file per
/// instruction set that includes this. The compiler's own vector type is used, so the order of roundings
/// stands here once; the formulas are those of whit/exp.h, sigmoid.h and tanh.h.
#include <cstdint>
#include <cstring>
#include <utility>

#define WHIT_LANE_FUNCTION WHIT_TARGET __attribute__((always_inline)) inline

namespace whit {
namespace {

constexpr int kLanes = WHIT_LANES;

template <int kCount>
struct VectorOf {
  typedef float Float __attribute__((vector_size(kCount * 4)));
  typedef int32_t Int __attribute__((vector_size(kCount * 4)));
  typedef int8_t Byte __attribute__((vector_size(kCount)));
};
using Float = VectorOf<kLanes>::Float;
using Int = VectorOf<kLanes>::Int;
using Byte = VectorOf<kLanes>::Byte;

template <typename Vector>
WHIT_LANE_FUNCTION Vector load(const void* address) {
  Vector v;
  std::memcpy(&v, address, sizeof(v));
  return v;
}

template <typename Vector>
WHIT_LANE_FUNCTION void store(void* address, Vector v) {
  std::memcpy(address, &v, sizeof(v));
}

WHIT_LANE_FUNCTION Float splat(float value) { return value - Float{}; }

WHIT_LANE_FUNCTION Int bits_of(Float x) { return (Int)x; }
WHIT_LANE_FUNCTION Float float_of(Int bits) { return (Float)bits; }
WHIT_LANE_FUNCTION Float magnitude(Float x) { return float_of(bits_of(x) & 0x7FFFFFFF); }
WHIT_LANE_FUNCTION Int greater(Int a, Int b) { return a > b ? a : b; }

WHIT_LANE_FUNCTION Float exp(Float x) {
  x = x < -87.0f ? splat(-87.0f) : x;  // written so that a NaN, which compares false, stays
  x = x > 88.0f ? splat(88.0f) : x;
  const Float shifted = x * 1.44269504f + 12582912.0f;
  const Float n = shifted - 12582912.0f;
  Float r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  Float p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const Float y = (p * (r * r) + r) + 1.0f;
  return y * float_of((bits_of(shifted) + (127 - 0x4B400000)) << 23);
}

WHIT_LANE_FUNCTION Float sigmoid(Float x) { return 1.0f / (1.0f + exp(-x)); }

WHIT_LANE_FUNCTION Float tanh(Float x) {
  const Int sign = bits_of(x) & INT32_MIN;
  const Float z = magnitude(x);
  const Float s = x * x;
  Float p = splat(-5.70498872745e-3f);
  p = p * s + 2.06390887954e-2f;
  p = p * s - 5.37397155531e-2f;
  p = p * s + 1.33314422036e-1f;
  p = p * s - 3.33332819422e-1f;
  const Float near_zero = (p * s) * x + x;
  const Float far = 1.0f - 2.0f / (exp(z + z) + 1.0f);
  return z < 0.625f ? near_zero : float_of(bits_of(far) | sign);
}

// The lanes (l ^ kBit): neighbours, then neighbouring pairs.
template <int kBit, int... kLane>
WHIT_LANE_FUNCTION Float exchange(Float x, std::integer_sequence<int, kLane...>) {
  return __builtin_shufflevector(x, x, (kLane ^ kBit)...);
}

}  // namespace
}  // namespace whit
