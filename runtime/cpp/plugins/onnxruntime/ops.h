#pragma once

#include "ort_abi.h"

namespace whit::ort {

/// The operators of docs/format.md section 3, one file each.
extern const OrtCustomOp kPackedMatMul;
extern const OrtCustomOp kPackedLstm;
extern const OrtCustomOp kPackedLstmp;
extern const OrtCustomOp kPackedEmbedding;
extern const OrtCustomOp kAffine;
extern const OrtCustomOp kAddRelu;
extern const OrtCustomOp kAdd;
extern const OrtCustomOp kLayerNorm;
extern const OrtCustomOp kSwish;
extern const OrtCustomOp kGlu;
extern const OrtCustomOp kDepthwiseConv;
extern const OrtCustomOp kRelativeAttention;
extern const OrtCustomOp kUnfold;
extern const OrtCustomOp kQuantizeFeatures;
extern const OrtCustomOp kIntConv;
extern const OrtCustomOp kIntDepthwiseConv;
extern const OrtCustomOp kDequantizeLogits;
extern const OrtCustomOp kIntTable;
extern const OrtCustomOp kIntGlu;
extern const OrtCustomOp kIntLayerNorm;
extern const OrtCustomOp kIntRelativeAttention;
extern const OrtCustomOp kIntUnfold;
extern const OrtCustomOp kDistanceRows;

}  // namespace whit::ort
