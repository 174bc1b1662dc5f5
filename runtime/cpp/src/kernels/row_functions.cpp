#include "kernels/row_functions.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/best_of.h"
#include "whit/packed_matrix.h"
#include "whit/sigmoid.h"
#include "whit/tanh.h"

namespace whit {
namespace {

struct Extrema {
  float amax;  // max |a[k]|
  float gmax;  // max over groups of 4 of the sum of |a[k]|
};

// Maxima of non-negative floats as integers: the order is the same, and NaN and infinity are the greatest.
Extrema find_extrema(FloatView a, size_t num_values) {
  int32_t amax = 0;
  int32_t gmax = 0;
  const auto visit = [&](float a0, float a1, float a2, float a3) {
    const float b0 = std::fabs(a0), b1 = std::fabs(a1), b2 = std::fabs(a2), b3 = std::fabs(a3);
    const int32_t pair0 = std::max(std::bit_cast<int32_t>(b0), std::bit_cast<int32_t>(b1));
    const int32_t pair1 = std::max(std::bit_cast<int32_t>(b2), std::bit_cast<int32_t>(b3));
    amax = std::max(amax, std::max(pair0, pair1));
    gmax = std::max(gmax, std::bit_cast<int32_t>((b0 + b1) + (b2 + b3)));
  };
  size_t k = 0;
  for (; k + 4 <= num_values; k += 4) visit(a[k], a[k + 1], a[k + 2], a[k + 3]);
  if (k < num_values) {
    const auto at = [&](size_t i) { return i < num_values ? a[i] : 0.0f; };
    visit(at(k), at(k + 1), at(k + 2), 0.0f);
  }
  return {std::bit_cast<float>(amax), std::bit_cast<float>(gmax)};
}

float quantize_row_plain(FloatView a, size_t num_values, int8_t* q, size_t num_quantized) {
  const auto [amax, gmax] = find_extrema(a, num_values);
  const float scale = row_scale(amax, gmax);
  if (!(scale > 0.0f)) {
    std::memset(q, 0, num_quantized);
    return scale;
  }
  const float inverse = 1.0f / scale;
  // Adding 1.5 * 2^23 rounds half to even and leaves the integer in the low bits.
  for (size_t k = 0; k < num_values; ++k) {
    q[k] = int8_t(std::bit_cast<int32_t>(a[k] * inverse + 12582912.0f));
  }
  std::memset(q + num_values, 0, num_quantized - num_values);
  return scale;
}

void scale_sums_plain(const int32_t* sums, float lhs_scale, FloatView scale, FloatView bias, float* out) {
  for (size_t r = 0; r < kSuperTileRows; ++r) out[r] = float(sums[r]) * (lhs_scale * scale[r]);
  if (!bias) return;
  for (size_t r = 0; r < kSuperTileRows; ++r) out[r] = out[r] + bias[r];
}

void lstm_gates_plain(const float* wx, const float* rh, size_t num_units, float* h, float* c, float* y) {
  for (size_t unit = 0; unit < num_units; ++unit) {
    const size_t row = unit / 4 * kTileRows + unit % 4;
    const float i = sigmoid(wx[row] + rh[row]);
    const float f = sigmoid(wx[row + 4] + rh[row + 4]);
    const float g = tanh(wx[row + 8] + rh[row + 8]);
    const float o = sigmoid(wx[row + 12] + rh[row + 12]);
    c[unit] = f * c[unit] + i * g;
    y[unit] = h[unit] = o * tanh(c[unit]);
  }
}

constexpr RowFunctions kPlain = {Isa::kPlain, quantize_row_plain, scale_sums_plain, lstm_gates_plain};

}  // namespace

float row_scale(float amax, float gmax) {
  const bool finite = gmax <= std::numeric_limits<float>::max();  // false for NaN
  if (!finite) return std::numeric_limits<float>::quiet_NaN();
  const float scale = std::max(amax / 127.0f, gmax / 253.0f);
  return scale < std::numeric_limits<float>::min() ? 0.0f : scale;
}

const RowFunctions& row_functions() {
  static const RowFunctions& best = best_of(kPlain, machine_row_functions());
  return best;
}

}  // namespace whit
