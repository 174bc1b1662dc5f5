#pragma once

#include "kernel_io.h"
#include "whit/int_conv.h"

namespace whit::ort {

/// Reads what follows the sums of an integer convolution: inputs 4 to 6, and the attributes of its output.
inline ConvOutputs read_conv_outputs(const Node& node, const PackedMatrix& w, int64_t bits) {
  const size_t count = w.padded_rows();
  return {.bias = node.constant_vector<int32_t>(4, "bias", kInt32, count),
          .multiplier = node.constant_vector<int32_t>(5, "multiplier", kInt32, count),
          .shift = node.constant_vector<int32_t>(6, "shift", kInt32, count),
          .zero = node.int32_attribute("y_zero"),
          .low = node.int32_attribute("low"),
          .high = node.int32_attribute("high"),
          .bits = int32_t(bits)};
}

}  // namespace whit::ort
