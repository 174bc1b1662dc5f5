#include "packed_weights.h"

#include "whit/fail.h"
#include "whit/packed_view.h"

namespace whit::ort {

PackedMatrix read_packed_matrix(const Node& node, const char* matrix, const PackedInputs& inputs,
                                int64_t rows, int64_t cols, int64_t bits, const std::string& layout) {
  const char* space = *matrix ? " " : "";
  const Tensor data = node.required_vector(inputs.data, text(matrix, space, "data"), kUint8);
  std::optional<Tensor> scale;
  if (inputs.scale != kNoInput) {
    scale = node.required_vector(inputs.scale, text(matrix, space, "scale"), kFloat);
  }
  const std::optional<Tensor> codebook =
      node.constant(inputs.codebook, text(matrix, space, "codebook"), kInt8);
  if (codebook && codebook->shape.size() != 2) {
    fail(node.op(), text(matrix, space, "codebook of rank 2"), codebook->shape_text());
  }
  std::optional<Tensor> bias;
  if (inputs.bias != kNoInput) bias = node.constant(inputs.bias, "bias", kFloat);
  if (bias && bias->shape.size() != 1) fail(node.op(), "bias of rank 1", bias->shape_text());
  const std::string place = text(node.op(), space, matrix);
  return view_packed_matrix(place, {
                                       .rows = rows,
                                       .cols = cols,
                                       .bits = bits,
                                       .layout = layout,
                                       .data = data.data,
                                       .data_bytes = data.count(),
                                       .codebook = codebook ? codebook->data : nullptr,
                                       .codebook_tiles = codebook ? size_t(codebook->shape[0]) : 0,
                                       .codebook_width = codebook ? size_t(codebook->shape[1]) : 0,
                                       .scale = scale ? scale->data : nullptr,
                                       .scale_count = scale ? scale->count() : 0,
                                       .integer = !scale,
                                       .bias = bias ? bias->data : nullptr,
                                       .bias_count = bias ? bias->count() : 0,
                                   });
}

}  // namespace whit::ort
