#include <string>

#include "custom_op.h"
#include "ops.h"
#include "whit/fail.h"

namespace whit::ort {
namespace {

constexpr const OrtCustomOp* kOps[] = {&kPackedMatMul,
                                       &kPackedLstm,
                                       &kPackedLstmp,
                                       &kPackedEmbedding,
                                       &kAffine,
                                       &kAddRelu,
                                       &kAdd,
                                       &kLayerNorm,
                                       &kSwish,
                                       &kGlu,
                                       &kDepthwiseConv,
                                       &kRelativeAttention,
                                       &kUnfold,
                                       &kQuantizeFeatures,
                                       &kIntConv,
                                       &kIntDepthwiseConv,
                                       &kDequantizeLogits,
                                       &kIntTable,
                                       &kIntGlu,
                                       &kIntLayerNorm,
                                       &kIntRelativeAttention,
                                       &kIntUnfold,
                                       &kDistanceRows};

// One domain for all sessions of the process; ONNX Runtime keeps pointers to it, so it is never released.
OrtCustomOpDomain* make_domain(OrtApi* api) {
  OrtCustomOpDomain* domain = nullptr;
  check(call<CreateCustomOpDomain>(api, "whit", &domain));
  for (const OrtCustomOp* op : kOps) check(call<CustomOpDomain_Add>(api, domain, op));
  return domain;
}

}  // namespace
}  // namespace whit::ort

/// Adds the domain `whit` to a session: SessionOptions.register_custom_ops_library finds it by this name.
extern "C" __attribute__((visibility("default"))) OrtStatus* RegisterCustomOps(OrtSessionOptions* options,
                                                                               const OrtApiBase* base) {
  using namespace whit::ort;
  OrtApi* api = base->GetApi(kApiVersion);
  if (!api) {
    const std::string message =
        whit::text("[whit] expected ONNX Runtime 1.17 or newer, received ", base->GetVersionString());
    return call<CreateStatus>(base->GetApi(1), kInvalidArgument, message.c_str());
  }
  return guard(api, [&] {
    set_inference_api(api);
    static OrtCustomOpDomain* const domain = make_domain(api);
    check(call<AddCustomOpDomain>(api, options, domain));
  });
}
