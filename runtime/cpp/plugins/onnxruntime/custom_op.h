#pragma once

#include <exception>
#include <iterator>
#include <memory>
#include <new>

#include "kernel_io.h"
#include "ort_abi.h"
#include "output_type.h"

namespace whit::ort {

/// One input or output of an operator.
struct Port {
  ElementType type;
  int characteristic = kRequired;
};

/// Runs `body`; turns whatever it throws into a status, for exceptions must not cross the C border.
template <typename Body>
OrtStatus* guard(OrtApi* api, Body body) noexcept {
  try {
    body();
    return nullptr;
  } catch (const StatusError& error) {
    return error.status;
  } catch (const std::exception& error) {
    return call<CreateStatus>(api, kInvalidArgument, error.what());
  } catch (...) {
    return call<CreateStatus>(api, kInvalidArgument, "[whit] expected no exception, received an unknown one");
  }
}

/// A kernel that also remembers the API of the session it belongs to.
template <typename Kernel>
struct Instance {
  OrtApi* api;
  Kernel kernel;
};

/// Returns the OrtCustomOp of a class with
///   static constexpr const char* kName;  static constexpr Port kInputs[], kOutputs[];
///   explicit Kernel(const Node&);        void compute(const Call&) const;
/// `compute` may run on several threads at once, so a kernel has no mutable state.
/// Output shapes are not inferred: writers put them in the graph's value_info. A first output of kAnyType is
/// int8 or int16 by the attribute `y_bits`; ONNX Runtime wants such an output to be optional.
template <typename Kernel>
constexpr OrtCustomOp make_custom_op() {
  OrtCustomOp op{};
  op.version = kApiVersion;
  op.GetName = [](const OrtCustomOp*) { return Kernel::kName; };
  op.GetExecutionProviderType = [](const OrtCustomOp*) -> const char* { return nullptr; };  // CPU
  op.GetInputTypeCount = [](const OrtCustomOp*) { return std::size(Kernel::kInputs); };
  op.GetInputType = [](const OrtCustomOp*, size_t i) -> int { return Kernel::kInputs[i].type; };
  op.GetInputCharacteristic = [](const OrtCustomOp*, size_t i) { return Kernel::kInputs[i].characteristic; };
  op.GetInputMemoryType = [](const OrtCustomOp*, size_t) { return kMemTypeDefault; };
  op.GetOutputTypeCount = [](const OrtCustomOp*) { return std::size(Kernel::kOutputs); };
  op.GetOutputType = [](const OrtCustomOp*, size_t i) -> int { return Kernel::kOutputs[i].type; };
  op.GetOutputCharacteristic = [](const OrtCustomOp*, size_t i) {
    return Kernel::kOutputs[i].characteristic;
  };
  const auto one = [](const OrtCustomOp*) { return 1; };
  op.GetVariadicInputMinArity = op.GetVariadicInputHomogeneity = one;
  op.GetVariadicOutputMinArity = op.GetVariadicOutputHomogeneity = one;
  op.GetStartVersion = op.GetEndVersion = one;  // domain version
  if constexpr (Kernel::kOutputs[0].type == kAnyType) op.InferOutputShapeFn = infer_type_by_bits;
  op.CreateKernelV2 = [](const OrtCustomOp*, OrtApi* api, const OrtKernelInfo* info, void** out) {
    return guard(api, [&] { *out = new Instance<Kernel>{api, Kernel(Node(Kernel::kName, api, info))}; });
  };
  op.KernelComputeV2 = [](void* self, OrtKernelContext* context) {
    const auto* instance = static_cast<const Instance<Kernel>*>(self);
    return guard(instance->api,
                 [&] { instance->kernel.compute(Call(Kernel::kName, instance->api, context)); });
  };
  op.KernelDestroy = [](void* self) { delete static_cast<Instance<Kernel>*>(self); };
  return op;
}

}  // namespace whit::ort
