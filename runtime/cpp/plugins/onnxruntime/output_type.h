#pragma once

#include "ort_abi.h"

namespace whit::ort {

/// Must come before the first graph: the call that infers types is given no API.
void set_inference_api(OrtApi* api);

/// Gives the first output the type int8 or int16, by the attribute `y_bits`; its shape stays open.
OrtStatus* infer_type_by_bits(const OrtCustomOp* op, OrtShapeInferContext* context);

}  // namespace whit::ort
