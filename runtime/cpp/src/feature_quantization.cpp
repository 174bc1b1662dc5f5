#include "whit/feature_quantization.h"

#include <bit>
#include <cstring>

#include "whit/fail.h"

namespace whit {

FeatureQuantization checked_feature_quantization(std::string_view place, float inverse_scale, int64_t low,
                                                 int64_t high) {
  if (low < INT8_MIN || high > INT8_MAX || low > high) {
    fail(place, "low up to high, of 8 bits", text(low, " and ", high));
  }
  return {.inverse_scale = inverse_scale, .low = int8_t(low), .high = int8_t(high)};
}

void quantize_features(const FeatureQuantization& quantization, FloatView x, size_t num_values, int8_t* y) {
  const float low = float(quantization.low), high = float(quantization.high);
  for (size_t i = 0; i < num_values; ++i) {
    float value = x[i] * quantization.inverse_scale;
    value = value > high ? high : value;
    value = value < low ? low : value;
    value = value != value ? 0.0f : value;
    // Adding 1.5 * 2^23 rounds half to even and leaves the integer in the low bits.
    y[i] = int8_t(std::bit_cast<int32_t>(value + 12582912.0f));
  }
}

void dequantize_logits(const int16_t* x, float scale, size_t num_values, size_t num_all, float* y) {
  for (size_t i = 0; i < num_values; ++i) y[i] = float(x[i]) * scale;
  std::memset(y + num_values, 0, (num_all - num_values) * sizeof(float));
}

}  // namespace whit
