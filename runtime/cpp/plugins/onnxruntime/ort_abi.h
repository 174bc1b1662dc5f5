#pragma once

#include <cstddef>
#include <cstdint>

/// The part of ONNX Runtime's C ABI that this library uses, declared by hand from onnxruntime_c_api.h
/// (docs/decisions/0002-hand-declared-abi.md). Names are ONNX Runtime's own. The ABI only ever grows at the
/// end, so an index never changes its meaning; tests/runtime/test_ort_abi.py compares it with the real
/// header.
extern "C" {

struct OrtCustomOpDomain;
struct OrtKernelContext;
struct OrtKernelInfo;
struct OrtOpAttr;
struct OrtSessionOptions;
struct OrtShapeInferContext;
struct OrtStatus;
struct OrtTensorTypeAndShapeInfo;
struct OrtValue;

/// struct OrtApi: an array of function pointers.
using OrtApi = const void* const;

struct OrtApiBase {
  OrtApi* (*GetApi)(uint32_t version);
  const char* (*GetVersionString)();
};

struct OrtCustomOp {
  uint32_t version;
  void* (*CreateKernel)(const OrtCustomOp*, OrtApi*, const OrtKernelInfo*);
  const char* (*GetName)(const OrtCustomOp*);
  const char* (*GetExecutionProviderType)(const OrtCustomOp*);
  int (*GetInputType)(const OrtCustomOp*, size_t index);
  size_t (*GetInputTypeCount)(const OrtCustomOp*);
  int (*GetOutputType)(const OrtCustomOp*, size_t index);
  size_t (*GetOutputTypeCount)(const OrtCustomOp*);
  void (*KernelCompute)(void* kernel, OrtKernelContext*);
  void (*KernelDestroy)(void* kernel);
  int (*GetInputCharacteristic)(const OrtCustomOp*, size_t index);
  int (*GetOutputCharacteristic)(const OrtCustomOp*, size_t index);
  int (*GetInputMemoryType)(const OrtCustomOp*, size_t index);
  int (*GetVariadicInputMinArity)(const OrtCustomOp*);
  int (*GetVariadicInputHomogeneity)(const OrtCustomOp*);
  int (*GetVariadicOutputMinArity)(const OrtCustomOp*);
  int (*GetVariadicOutputHomogeneity)(const OrtCustomOp*);
  OrtStatus* (*CreateKernelV2)(const OrtCustomOp*, OrtApi*, const OrtKernelInfo*, void** kernel);
  OrtStatus* (*KernelComputeV2)(void* kernel, OrtKernelContext*);
  OrtStatus* (*InferOutputShapeFn)(const OrtCustomOp*, OrtShapeInferContext*);
  int (*GetStartVersion)(const OrtCustomOp*);
  int (*GetEndVersion)(const OrtCustomOp*);
  // Read by ONNX Runtime from 1.18 on, where not null.
  size_t (*GetMayInplace)(int** input, int** output);
  void (*ReleaseMayInplace)(int* input, int* output);
  size_t (*GetAliasMap)(int** input, int** output);
  void (*ReleaseAliasMap)(int* input, int* output);
};

}  // extern "C"

static_assert(sizeof(OrtCustomOp) == 26 * sizeof(void*));

namespace whit::ort {

inline constexpr uint32_t kApiVersion = 17;  // ONNX Runtime 1.17: the first with every function below

/// Values of enum ONNXTensorElementDataType.
enum ElementType : int { kAnyType = 0, kFloat = 1, kUint8 = 2, kInt8 = 3, kInt16 = 5, kInt32 = 6 };

/// Values of enum OrtErrorCode, OrtMemType, OrtCustomOpInputOutputCharacteristic and OrtOpAttrType.
inline constexpr int kInvalidArgument = 2;
inline constexpr int kMemTypeDefault = 0;
inline constexpr int kRequired = 0;
inline constexpr int kOptional = 1;
inline constexpr int kIntAttribute = 1;

/// One function of OrtApi: its index and its type.
template <int kIndexInApi, typename Signature>
struct ApiFunction {
  static constexpr int kIndex = kIndexInApi;
  using Pointer = Signature*;
};

// clang-format off
using CreateStatus = ApiFunction<0, OrtStatus*(int code, const char* message)>;
using CreateCustomOpDomain = ApiFunction<26, OrtStatus*(const char* domain, OrtCustomOpDomain**)>;
using CustomOpDomain_Add = ApiFunction<27, OrtStatus*(OrtCustomOpDomain*, const OrtCustomOp*)>;
using AddCustomOpDomain = ApiFunction<28, OrtStatus*(OrtSessionOptions*, OrtCustomOpDomain*)>;
using CreateTensorTypeAndShapeInfo = ApiFunction<57, OrtStatus*(OrtTensorTypeAndShapeInfo**)>;
using SetTensorElementType = ApiFunction<58, OrtStatus*(OrtTensorTypeAndShapeInfo*, int)>;
using SetDimensions = ApiFunction<59, OrtStatus*(OrtTensorTypeAndShapeInfo*, const int64_t*, size_t)>;
using GetTensorMutableData = ApiFunction<51, OrtStatus*(OrtValue*, void**)>;
using GetTensorElementType = ApiFunction<60, OrtStatus*(const OrtTensorTypeAndShapeInfo*, int*)>;
using GetDimensionsCount = ApiFunction<61, OrtStatus*(const OrtTensorTypeAndShapeInfo*, size_t*)>;
using GetDimensions = ApiFunction<62, OrtStatus*(const OrtTensorTypeAndShapeInfo*, int64_t*, size_t)>;
using GetTensorTypeAndShape = ApiFunction<65, OrtStatus*(const OrtValue*, OrtTensorTypeAndShapeInfo**)>;
using KernelInfoGetAttribute_float = ApiFunction<85, OrtStatus*(const OrtKernelInfo*, const char*, float*)>;
using KernelInfoGetAttribute_int64 = ApiFunction<86, OrtStatus*(const OrtKernelInfo*, const char*, int64_t*)>;
using KernelInfoGetAttribute_string = ApiFunction<87, OrtStatus*(const OrtKernelInfo*, const char*, char*, size_t*)>;
using KernelContext_GetInput = ApiFunction<90, OrtStatus*(const OrtKernelContext*, size_t, const OrtValue**)>;
using KernelContext_GetOutput = ApiFunction<91, OrtStatus*(OrtKernelContext*, size_t, const int64_t*, size_t, OrtValue**)>;
using ReleaseStatus = ApiFunction<93, void(OrtStatus*)>;
using ReleaseTensorTypeAndShapeInfo = ApiFunction<99, void(OrtTensorTypeAndShapeInfo*)>;
using KernelInfoGetConstantInput_tensor = ApiFunction<249, OrtStatus*(const OrtKernelInfo*, size_t, int*, const OrtValue**)>;
using ShapeInferContext_GetAttribute = ApiFunction<269, OrtStatus*(const OrtShapeInferContext*, const char*, const OrtOpAttr**)>;
using ShapeInferContext_SetOutputTypeShape = ApiFunction<270, OrtStatus*(const OrtShapeInferContext*, size_t, const OrtTensorTypeAndShapeInfo*)>;
using ReadOpAttr = ApiFunction<272, OrtStatus*(const OrtOpAttr*, int type, void*, size_t, size_t*)>;
// clang-format on

/// Calls one function of an OrtApi.
template <typename Function, typename... Args>
auto call(OrtApi* api, Args... args) {
  return reinterpret_cast<typename Function::Pointer>(const_cast<void*>(api[Function::kIndex]))(args...);
}

}  // namespace whit::ort
