#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "whit/float_view.h"
#include "whit/isa.h"

namespace whit {

/// What one head sees of a window; rows are padded with zeros to `stride`, a multiple of 16.
struct HeadWindow {
  size_t num_keys;
  size_t stride;
  const float* keys;          ///< (num_keys, stride)
  const float* values;        ///< (num_keys, stride)
  const float* positions;     ///< (num_keys, stride): of the query's distances
  const int32_t* takes_part;  ///< (num_keys, in whole blocks of 16): -1, or 0 where a row takes no part
  float scale;
};

/// What works on float rows between packed products, in one instruction set; all give the same bits
/// (docs/format.md, section 3).
struct SequenceFunctions {
  Isa isa;

  /// One row of LayerNorm.
  /// @param[in]  x, gain, bias  (num_cols,)
  /// @param[out] y              (num_cols,)
  void (*layer_norm)(FloatView x, FloatView gain, FloatView bias, float epsilon, size_t num_cols, float* y);

  /// y = x * sigmoid(x).
  /// @param[in]  x  (num_values,)
  /// @param[out] y  (num_values,)
  void (*swish)(FloatView x, size_t num_values, float* y);

  /// y = a * sigmoid(b): one row of Glu.
  /// @param[in]  a, b  (num_cols,)
  /// @param[out] y     (num_cols,)
  void (*glu)(FloatView a, FloatView b, size_t num_cols, float* y);

  /// One frame of DepthwiseConv1d.
  /// @param[in]  window  (kernel_size, channels): the frame and those before it
  /// @param[in]  weight  (kernel_size, channels)
  /// @param[in]  bias    (channels,)
  /// @param[out] y       (channels,)
  void (*depthwise_conv)(const float* window, FloatView weight, FloatView bias, size_t kernel_size,
                         size_t channels, float* y);

  /// One query of one head of RelativeAttention.
  /// @param[in]  content_query, position_query  (stride,): q + u and q + w
  /// @param      weights                        (num_keys, in whole blocks of 16)
  /// @param[out] y                              (stride,)
  void (*attend)(const HeadWindow& window, const float* content_query, const float* position_query,
                 float* weights, float* y);
};

/// Returns the functions of the chosen instruction set.
/// @throws std::invalid_argument as `chosen_isa`.
const SequenceFunctions& sequence_functions();

/// Those of this build's machine, the best last; which file defines it is chosen in CMakeLists.txt.
std::span<const SequenceFunctions> machine_sequence_functions();

}  // namespace whit
