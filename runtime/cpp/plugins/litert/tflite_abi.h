#pragma once

#include <cstddef>
#include <cstdint>

/// The part of TensorFlow Lite's C delegate ABI that this library uses, declared by hand from
/// tensorflow/lite/core/c/common.h (docs/decisions/0004-litert-delegate.md). Names are TensorFlow Lite's own.
/// Structures only ever grow at their end, so one declaration serves tflite-runtime 2.14 and LiteRT 2; fields
/// that nothing here reads are plain pointers.
extern "C" {

using TfLiteStatus = int;

struct TfLiteIntArray {
  int size;
  int data[];  // (size,)
};

struct TfLiteContext;
struct TfLiteDelegate;

struct TfLiteTensor {
  int type;
  void* data;
  TfLiteIntArray* dims;
  float params_scale;
  int32_t params_zero_point;
  int allocation_type;
  size_t bytes;
  const void* allocation;
  const char* name;
  TfLiteDelegate* delegate;
  int buffer_handle;
  bool data_is_stale;
  bool is_variable;
  int quantization_type;
  void* quantization_params;
  void* sparsity;
  const TfLiteIntArray* dims_signature;
};

struct TfLiteNode {
  TfLiteIntArray* inputs;
  TfLiteIntArray* outputs;
  TfLiteIntArray* intermediates;
  TfLiteIntArray* temporaries;
  void* user_data;
  void* builtin_data;
  const void* custom_initial_data;
  int custom_initial_data_size;
  TfLiteDelegate* delegate;
  bool might_have_side_effect;
};

struct TfLiteDelegateParams {
  TfLiteDelegate* delegate;
  TfLiteIntArray* nodes_to_replace;
  TfLiteIntArray* input_tensors;
  TfLiteIntArray* output_tensors;
};

/// Passed by value, so this is the longest layout that any runtime reads.
struct TfLiteRegistration {
  void* (*init)(TfLiteContext*, const char* buffer, size_t length);
  void (*free)(TfLiteContext*, void* buffer);
  TfLiteStatus (*prepare)(TfLiteContext*, TfLiteNode*);
  TfLiteStatus (*invoke)(TfLiteContext*, TfLiteNode*);
  const char* (*profiling_string)(const TfLiteContext*, const TfLiteNode*);
  int32_t builtin_code;
  const char* custom_name;
  int version;
  void* registration_external;
  void* async_kernel;
  uint64_t inplace_operator;
};

struct TfLiteContext {
  size_t tensors_size;
  TfLiteStatus (*GetExecutionPlan)(TfLiteContext*, TfLiteIntArray** plan);
  TfLiteTensor* tensors;
  void* impl_;
  /// Takes ownership of new_size, which must come from malloc.
  TfLiteStatus (*ResizeTensor)(TfLiteContext*, TfLiteTensor*, TfLiteIntArray* new_size);
  void (*ReportError)(TfLiteContext*, const char* format, ...);
  void* AddTensors;
  TfLiteStatus (*GetNodeAndRegistration)(TfLiteContext*, int node_index, TfLiteNode**, TfLiteRegistration**);
  TfLiteStatus (*ReplaceNodeSubsetsWithDelegateKernels)(TfLiteContext*, TfLiteRegistration,
                                                        const TfLiteIntArray* nodes, TfLiteDelegate*);
  // More fields follow that nothing here reads.
};

struct TfLiteDelegate {
  void* data_;
  TfLiteStatus (*Prepare)(TfLiteContext*, TfLiteDelegate*);
  void* CopyFromBufferHandle;
  void* CopyToBufferHandle;
  void* FreeBufferHandle;
  int64_t flags;
  void* opaque_delegate_builder;
};

}  // extern "C"

static_assert(sizeof(void*) == 8, "offsets below are those of 64-bit machines");
static_assert(sizeof(TfLiteTensor) == 112);
static_assert(offsetof(TfLiteTensor, type) == 0);
static_assert(offsetof(TfLiteTensor, data) == 8);
static_assert(offsetof(TfLiteTensor, dims) == 16);
static_assert(offsetof(TfLiteTensor, allocation_type) == 32);
static_assert(offsetof(TfLiteTensor, bytes) == 40);
static_assert(offsetof(TfLiteTensor, name) == 56);
static_assert(offsetof(TfLiteTensor, is_variable) == 77);
static_assert(offsetof(TfLiteTensor, dims_signature) == 104);
static_assert(offsetof(TfLiteNode, user_data) == 32);
static_assert(offsetof(TfLiteNode, custom_initial_data) == 48);
static_assert(offsetof(TfLiteNode, custom_initial_data_size) == 56);
static_assert(offsetof(TfLiteDelegateParams, nodes_to_replace) == 8);
static_assert(offsetof(TfLiteRegistration, builtin_code) == 40);
static_assert(offsetof(TfLiteRegistration, custom_name) == 48);
static_assert(offsetof(TfLiteRegistration, version) == 56);
static_assert(offsetof(TfLiteRegistration, inplace_operator) == 80);
static_assert(offsetof(TfLiteContext, tensors) == 16);
static_assert(offsetof(TfLiteContext, ResizeTensor) == 32);
static_assert(offsetof(TfLiteContext, ReportError) == 40);
static_assert(offsetof(TfLiteContext, GetNodeAndRegistration) == 56);
static_assert(offsetof(TfLiteContext, ReplaceNodeSubsetsWithDelegateKernels) == 64);
static_assert(sizeof(TfLiteDelegate) == 56);
static_assert(offsetof(TfLiteDelegate, flags) == 40);

namespace whit::litert {

inline constexpr TfLiteStatus kOk = 0;
inline constexpr TfLiteStatus kError = 1;

/// Values of enum TfLiteType.
enum ElementType : int { kFloat = 1, kInt32 = 2, kUint8 = 3, kInt16 = 7, kInt8 = 9 };

/// Values of enum TfLiteAllocationType that mean constant.
inline constexpr int kMmapRo = 1;
inline constexpr int kPersistentRo = 5;

/// TfLiteDelegateFlagsAllowDynamicTensors: without it an unresolved operator fails before any delegate is
/// asked.
inline constexpr int64_t kAllowDynamicTensors = 1;
/// BuiltinOperator_DELEGATE.
inline constexpr int32_t kBuiltinDelegate = 51;
/// An input that is absent.
inline constexpr int kOptionalTensor = -1;

}  // namespace whit::litert
