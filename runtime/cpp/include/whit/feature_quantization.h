#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "whit/float_view.h"

namespace whit {

/// The only operators of an integer-only model with a float (docs/format.md, section 10): its two ends.

/// Operator QuantizeFeatures, checked.
struct FeatureQuantization {
  float inverse_scale;
  int8_t low;
  int8_t high;
};

/// Checks that low and high are a range of int8.
/// @throws std::invalid_argument "[place] expected ..., received ...".
FeatureQuantization checked_feature_quantization(std::string_view place, float inverse_scale, int64_t low,
                                                 int64_t high);

/// y = clamp(round_half_even(x * inverse_scale), low, high); NaN gives 0.
/// @param[in]  x  (num_values,)
/// @param[out] y  (num_values,)
void quantize_features(const FeatureQuantization& quantization, FloatView x, size_t num_values, int8_t* y);

/// y = float(x) * scale, and +0 behind the utterance (operator DequantizeLogits).
/// @param[in]  x           (num_values,)
/// @param[in]  num_values  of the utterance
/// @param[out] y           (num_all,)
void dequantize_logits(const int16_t* x, float scale, size_t num_values, size_t num_all, float* y);

}  // namespace whit
