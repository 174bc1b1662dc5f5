#pragma once

#include <memory>
#include <string_view>

#include "op_node.h"

namespace whit::litert {

/// One of our operators in one graph. Methods throw a Failure.
class Op {
 public:
  virtual ~Op() = default;

  /// Reads options, constants and shapes, and gives the outputs theirs. May be called again after a resize.
  virtual void prepare(TfLiteContext* context) = 0;
  virtual void run(TfLiteContext* context) const = 0;
};

/// An operator's name in the file, and what makes it.
struct OpType {
  const char* name;
  std::unique_ptr<Op> (*make)(OpNode node);
};

/// The operators of docs/format.md section 3, one file each.
extern const OpType kPackedMatMul;
extern const OpType kPackedLstm;
extern const OpType kPackedLstmp;
extern const OpType kPackedEmbedding;
extern const OpType kAffine;
extern const OpType kAddRelu;
extern const OpType kAdd;
extern const OpType kLayerNorm;
extern const OpType kSwish;
extern const OpType kGlu;
extern const OpType kDepthwiseConv;
extern const OpType kRelativeAttention;
extern const OpType kUnfold;
extern const OpType kQuantizeFeatures;
extern const OpType kIntConv;
extern const OpType kIntDepthwiseConv;
extern const OpType kDequantizeLogits;
extern const OpType kIntTable;
extern const OpType kIntGlu;
extern const OpType kIntLayerNorm;
extern const OpType kIntRelativeAttention;
extern const OpType kIntUnfold;
extern const OpType kDistanceRows;

template <typename Kernel>
std::unique_ptr<Op> make_op(OpNode node) {
  return std::make_unique<Kernel>(std::move(node));
}

}  // namespace whit::litert
