#include "packed_weights.h"

#include "whit/fail.h"
#include "whit/packed_view.h"

namespace whit::litert {

PackedMatrix read_packed_matrix(const OpNode& node, TfLiteContext* context, const char* matrix,
                                const PackedInputs& inputs, const PackedShape& shape) {
  const char* space = *matrix ? " " : "";
  const std::string place = text(node.op(), space, matrix);
  if (shape.layout != 0 && shape.layout != 1) fail(place, "layout 0 (E) or 1 (P)", text(shape.layout));
  const Tensor data = node.required_constant(context, inputs.data, text(matrix, space, "data"), kUint8, 1);
  std::optional<Tensor> scale;
  if (inputs.scale != kNoInput) {
    scale = node.required_constant(context, inputs.scale, text(matrix, space, "scale"), kFloat, 1);
  }
  const std::optional<Tensor> codebook =
      node.constant(context, inputs.codebook, text(matrix, space, "codebook"), kInt8, 2);
  std::optional<Tensor> bias;
  if (inputs.bias != kNoInput) bias = node.constant(context, inputs.bias, "bias", kFloat, 1);
  return view_packed_matrix(place, {
                                       .rows = shape.rows,
                                       .cols = shape.cols,
                                       .bits = shape.bits,
                                       .layout = shape.layout == 0 ? "E" : "P",
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

}  // namespace whit::litert
