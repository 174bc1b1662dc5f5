#include "engine/ops/ops.h"
#include "whit/fail.h"

namespace whit {
namespace {

constexpr std::string_view kDomain = "whit.";

constexpr OpKind kOps[] = {
    {kCustomCode, "PackedMatMul", make_packed_matmul},
    {kCustomCode, "PackedLSTM", make_packed_lstm},
    {kCustomCode, "PackedLSTMP", make_packed_lstmp},
    {kCustomCode, "PackedEmbedding", make_packed_embedding},
    {kCustomCode, "Affine", make_affine},
    {kCustomCode, "AddRelu", make_add_relu},
    {kCustomCode, "Add", make_add},
    {kCustomCode, "LayerNorm", make_layer_norm},
    {kCustomCode, "Swish", make_swish},
    {kCustomCode, "Glu", make_glu},
    {kCustomCode, "DepthwiseConv1d", make_depthwise_conv},
    {kCustomCode, "RelativeAttention", make_relative_attention},
    {kCustomCode, "Unfold2d", make_unfold},
    {kCustomCode, "QuantizeFeatures", make_quantize_features},
    {kCustomCode, "IntConv1d", make_int_conv},
    {kCustomCode, "IntDepthwiseConv1d", make_int_depthwise_conv},
    {kCustomCode, "DequantizeLogits", make_dequantize_logits},
    {kCustomCode, "IntTable", make_int_table},
    {kCustomCode, "IntGlu", make_int_glu},
    {kCustomCode, "IntLayerNorm", make_int_layer_norm},
    {kCustomCode, "IntRelativeAttention", make_int_relative_attention},
    {kCustomCode, "IntUnfold2d", make_int_unfold},
    {kCustomCode, "DistanceRows", make_distance_rows},
    {22, "RESHAPE", make_reshape},
    {49, "SPLIT", make_split},
    {2, "CONCATENATION", make_concatenation},
    {65, "SLICE", make_slice},
    {53, "CAST", make_cast},
    {41, "SUB", make_sub},
};

}  // namespace

const OpKind& find_op(const TfliteOperator& op, std::string_view place) {
  const bool custom = op.builtin_code == kCustomCode;
  for (const OpKind& kind : kOps) {
    if (kind.builtin_code != op.builtin_code) continue;
    if (!custom) return kind;
    if (op.custom_name.starts_with(kDomain) && op.custom_name.substr(kDomain.size()) == kind.name)
      return kind;
  }
  fail(place, "an operator of docs/format.md, section 9",
       custom ? text("the custom operator ", op.custom_name)
              : text("the built-in operator ", op.builtin_code));
}

}  // namespace whit
