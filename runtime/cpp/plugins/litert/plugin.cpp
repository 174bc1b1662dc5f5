#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "op.h"
#include "whit/fail.h"

namespace whit::litert {
namespace {

constexpr char kPrefix[] = "whit.";
constexpr const OpType* kOpTypes[] = {&kPackedMatMul,
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

/// Runs `body` and reports what it throws: exceptions must not cross the C border.
template <typename Body>
TfLiteStatus guard(TfLiteContext* context, Body body) noexcept {
  try {
    body();
    return kOk;
  } catch (const std::exception& error) {
    context->ReportError(context, "%s", error.what());
  } catch (...) {
    context->ReportError(context, "[whit] expected no exception, received an unknown one");
  }
  return kError;
}

void check(TfLiteStatus status, const char* what) {
  if (status != kOk) fail("whit delegate", what, "an error of the interpreter");
}

/// Returns our operator of that name, or null where the name is not ours.
const OpType* find_op_type(const TfLiteRegistration& registration) {
  const char* name = registration.custom_name;
  if (!name || std::strncmp(name, kPrefix, sizeof(kPrefix) - 1) != 0) return nullptr;
  for (const OpType* type : kOpTypes) {
    if (std::strcmp(type->name, name) == 0) return type;
  }
  fail(name, "an operator of docs/format.md, section 3", "an unknown one");
}

struct FoundNode {
  TfLiteNode* node = nullptr;
  TfLiteRegistration* registration = nullptr;
};

FoundNode find_node(TfLiteContext* context, int index) {
  FoundNode found;
  check(context->GetNodeAndRegistration(context, index, &found.node, &found.registration),
        "a node of the plan");
  return found;
}

// A kernel node stands for exactly one operator of the file.
void* init(TfLiteContext* context, const char* buffer, size_t) {
  Op* op = nullptr;
  guard(context, [&] {
    const auto* params = reinterpret_cast<const TfLiteDelegateParams*>(buffer);
    const FoundNode found = find_node(context, params->nodes_to_replace->data[0]);
    const OpType* type = find_op_type(*found.registration);
    op = type->make(OpNode(type->name, context, *found.node)).release();
  });
  return op;
}

void destroy(TfLiteContext*, void* op) { delete static_cast<Op*>(op); }

TfLiteStatus prepare(TfLiteContext* context, TfLiteNode* node) {
  auto* op = static_cast<Op*>(node->user_data);
  if (!op) return kError;  // `init` has reported why
  return guard(context, [&] { op->prepare(context); });
}

TfLiteStatus invoke(TfLiteContext* context, TfLiteNode* node) {
  return guard(context, [&] { static_cast<const Op*>(node->user_data)->run(context); });
}

std::vector<int> find_our_nodes(TfLiteContext* context) {
  TfLiteIntArray* plan = nullptr;
  check(context->GetExecutionPlan(context, &plan), "an execution plan");
  std::vector<int> ours;
  for (int i = 0; i < plan->size; ++i) {
    if (find_op_type(*find_node(context, plan->data[i]).registration)) ours.push_back(plan->data[i]);
  }
  return ours;
}

// One kernel for each node: values between two of them stay ordinary tensors, which the interpreter plans.
TfLiteStatus claim_nodes(TfLiteContext* context, TfLiteDelegate* delegate) {
  return guard(context, [&] {
    TfLiteRegistration registration = {};
    registration.init = init;
    registration.free = destroy;
    registration.prepare = prepare;
    registration.invoke = invoke;
    registration.builtin_code = kBuiltinDelegate;
    registration.custom_name = "WhitDelegate";
    registration.version = 1;
    for (const int index : find_our_nodes(context)) {
      alignas(TfLiteIntArray) int one[] = {1, index};  // a TfLiteIntArray of one value
      check(context->ReplaceNodeSubsetsWithDelegateKernels(context, registration,
                                                           reinterpret_cast<TfLiteIntArray*>(one), delegate),
            text("to take over node ", index).c_str());
    }
  });
}

}  // namespace
}  // namespace whit::litert

/// Returns a delegate that runs the operators `whit.*`: `load_delegate` of LiteRT and tflite-runtime finds it
/// by this name. It has no options.
extern "C" __attribute__((visibility("default"))) TfLiteDelegate* tflite_plugin_create_delegate(
    const char* const* keys, const char* const*, size_t num_options, void (*report_error)(const char*)) {
  using namespace whit::litert;
  if (int(num_options) != 0) {  // Python's loaders pass an int
    const std::string message = whit::text("[whit delegate] expected no options, received ", keys[0]);
    if (report_error) report_error(message.c_str());
    return nullptr;
  }
  auto* delegate = new (std::nothrow) TfLiteDelegate{};
  if (!delegate) return nullptr;
  delegate->Prepare = claim_nodes;
  delegate->flags = kAllowDynamicTensors;
  return delegate;
}

extern "C" __attribute__((visibility("default"))) void tflite_plugin_destroy_delegate(
    TfLiteDelegate* delegate) {
  delete delegate;
}
