#pragma once

#include "engine/node.h"
#include "whit/int_conv.h"

namespace whit {

/// What the attributes of an integer convolution say about its output.
struct OutputAttributes {
  int32_t zero;
  int32_t low;
  int32_t high;
  int32_t bits = 8;
};

/// Reads bias, multiplier and shift, inputs 4 to 6 of every integer convolution.
inline ConvOutputs read_conv_outputs(const Node& node, const PackedMatrix& w,
                                     const OutputAttributes& attributes) {
  const size_t count = w.padded_rows();
  return {.bias = node.constant_vector<int32_t>(4, "bias", TensorType::kInt32, count),
          .multiplier = node.constant_vector<int32_t>(5, "multiplier", TensorType::kInt32, count),
          .shift = node.constant_vector<int32_t>(6, "shift", TensorType::kInt32, count),
          .zero = attributes.zero,
          .low = attributes.low,
          .high = attributes.high,
          .bits = attributes.bits};
}

}  // namespace whit
