#pragma once

#include <memory>

#include "engine/node.h"
#include "whit/op.h"

namespace whit {

/// Makes an operator from a file's node: one file of the same name each.
/// @throws Failure where the node breaks a rule of docs/format.md.
using MakeOp = std::unique_ptr<Op>(const Node& node);

MakeOp make_packed_matmul;
MakeOp make_packed_lstm;
MakeOp make_packed_lstmp;
MakeOp make_packed_embedding;
MakeOp make_affine;
MakeOp make_add_relu;
MakeOp make_add;
MakeOp make_layer_norm;
MakeOp make_swish;
MakeOp make_glu;
MakeOp make_depthwise_conv;
MakeOp make_relative_attention;
MakeOp make_unfold;
MakeOp make_quantize_features;
MakeOp make_int_conv;
MakeOp make_int_depthwise_conv;
MakeOp make_dequantize_logits;
MakeOp make_int_table;
MakeOp make_int_glu;
MakeOp make_int_layer_norm;
MakeOp make_int_relative_attention;
MakeOp make_int_unfold;
MakeOp make_distance_rows;
MakeOp make_reshape;
MakeOp make_split;
MakeOp make_concatenation;
MakeOp make_slice;
MakeOp make_cast;
MakeOp make_sub;

/// An operator that this engine runs.
struct OpKind {
  int32_t builtin_code;   ///< in the schema's enum; 32 for ours
  std::string_view name;  ///< of messages; ours are "whit." + name in files
  MakeOp* make;
};

inline constexpr int32_t kCustomCode = 32;

/// Returns the entry of the table for a file's operator. @throws Failure where there is none.
const OpKind& find_op(const TfliteOperator& op, std::string_view place);

}  // namespace whit
