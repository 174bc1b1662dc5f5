#include "kernels/sequence_functions.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/best_of.h"
#include "whit/exp.h"
#include "whit/lane_sum.h"
#include "whit/sigmoid.h"

namespace whit {
namespace {

void layer_norm_plain(FloatView x, FloatView gain, FloatView bias, float epsilon, size_t num_cols, float* y) {
  const float inverse_count = 1.0f / float(num_cols);
  LaneSum sum;
  for (size_t n = 0; n < num_cols; ++n) sum.add(n, x[n]);
  const float mean = sum.total() * inverse_count;
  LaneSum squares;
  for (size_t n = 0; n < num_cols; ++n) {
    y[n] = x[n] - mean;
    squares.add(n, y[n] * y[n]);
  }
  const float factor = 1.0f / std::sqrt(squares.total() * inverse_count + epsilon);
  for (size_t n = 0; n < num_cols; ++n) y[n] = (y[n] * factor) * gain[n] + bias[n];
}

void swish_plain(FloatView x, size_t num_values, float* y) {
  for (size_t i = 0; i < num_values; ++i) y[i] = x[i] * sigmoid(x[i]);
}

void glu_plain(FloatView a, FloatView b, size_t num_cols, float* y) {
  for (size_t n = 0; n < num_cols; ++n) y[n] = a[n] * sigmoid(b[n]);
}

void depthwise_conv_plain(const float* window, FloatView weight, FloatView bias, size_t kernel_size,
                          size_t channels, float* y) {
  for (size_t c = 0; c < channels; ++c) y[c] = bias[c];
  for (size_t j = 0; j < kernel_size; ++j) {
    for (size_t c = 0; c < channels; ++c) y[c] = y[c] + weight[j * channels + c] * window[j * channels + c];
  }
}

float dot(const float* a, const float* b, size_t count) {
  LaneSum sum;
  for (size_t c = 0; c < count; ++c) sum.add(c, a[c] * b[c]);
  return sum.total();
}

void attend_plain(const HeadWindow& window, const float* content_query, const float* position_query,
                  float* weights, float* y) {
  const size_t stride = window.stride;
  float greatest = -std::numeric_limits<float>::infinity();
  for (size_t j = 0; j < window.num_keys; ++j) {
    if (!window.takes_part[j]) continue;
    const float content = dot(content_query, window.keys + j * stride, stride);
    const float position = dot(position_query, window.positions + j * stride, stride);
    weights[j] = (content + position) * window.scale;
    greatest = weights[j] > greatest ? weights[j] : greatest;
  }
  LaneSum sum;
  for (size_t j = 0; j < window.num_keys; ++j) {
    weights[j] = window.takes_part[j] ? exp(weights[j] - greatest) : 0.0f;
    sum.add(j, weights[j]);
  }
  const float inverse = 1.0f / sum.total();
  std::fill_n(y, stride, 0.0f);
  for (size_t j = 0; j < window.num_keys; ++j) {
    if (!window.takes_part[j]) continue;
    const float weight = weights[j] * inverse;
    for (size_t c = 0; c < stride; ++c) y[c] = y[c] + weight * window.values[j * stride + c];
  }
}

constexpr SequenceFunctions kPlain = {
    .isa = Isa::kPlain,
    .layer_norm = layer_norm_plain,
    .swish = swish_plain,
    .glu = glu_plain,
    .depthwise_conv = depthwise_conv_plain,
    .attend = attend_plain,
};

}  // namespace

const SequenceFunctions& sequence_functions() {
  static const SequenceFunctions& best = best_of(kPlain, machine_sequence_functions());
  return best;
}

}  // namespace whit
