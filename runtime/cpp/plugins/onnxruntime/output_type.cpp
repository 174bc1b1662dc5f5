#include "output_type.h"

#include <atomic>
#include <memory>

namespace whit::ort {
namespace {

std::atomic<OrtApi*> inference_api = nullptr;

}  // namespace

void set_inference_api(OrtApi* api) { inference_api = api; }

OrtStatus* infer_type_by_bits(const OrtCustomOp*, OrtShapeInferContext* context) {
  OrtApi* api = inference_api;
  const OrtOpAttr* attribute = nullptr;
  if (OrtStatus* status = call<ShapeInferContext_GetAttribute>(api, context, "y_bits", &attribute))
    return status;
  int64_t bits = 0;
  size_t num_bytes = 0;
  if (OrtStatus* status = call<ReadOpAttr>(api, attribute, kIntAttribute, &bits, sizeof(bits), &num_bytes)) {
    return status;
  }
  OrtTensorTypeAndShapeInfo* raw = nullptr;
  if (OrtStatus* status = call<CreateTensorTypeAndShapeInfo>(api, &raw)) return status;
  const auto release = [api](OrtTensorTypeAndShapeInfo* info) {
    call<ReleaseTensorTypeAndShapeInfo>(api, info);
  };
  const std::unique_ptr<OrtTensorTypeAndShapeInfo, decltype(release)> info(raw, release);
  const int type = bits == 16 ? kInt16 : kInt8;
  if (OrtStatus* status = call<SetTensorElementType>(api, raw, type)) return status;
  constexpr int64_t kOpen[] = {-1, -1};
  if (OrtStatus* status = call<SetDimensions>(api, raw, kOpen, 2)) return status;
  return call<ShapeInferContext_SetOutputTypeShape>(api, context, 0, raw);
}

}  // namespace whit::ort
