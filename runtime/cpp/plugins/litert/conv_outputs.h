#pragma once

#include "op_node.h"
#include "whit/int_conv.h"

namespace whit::litert {

/// What the options of an integer convolution say about its output.
struct OutputOptions {
  int32_t zero;
  int32_t low;
  int32_t high;
  int32_t bits = 8;
};

/// Reads bias, multiplier and shift, inputs 4 to 6 of every integer convolution.
inline ConvOutputs read_conv_outputs(const OpNode& node, TfLiteContext* context, const PackedMatrix& w,
                                     const OutputOptions& options) {
  const size_t count = w.padded_rows();
  return {.bias = node.constant_vector<int32_t>(context, 4, "bias", count),
          .multiplier = node.constant_vector<int32_t>(context, 5, "multiplier", count),
          .shift = node.constant_vector<int32_t>(context, 6, "shift", count),
          .zero = options.zero,
          .low = options.low,
          .high = options.high,
          .bits = options.bits};
}

}  // namespace whit::litert
