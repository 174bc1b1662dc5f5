#include "op_node.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "../shape_text.h"
#include "whit/fail.h"

namespace whit::litert {
namespace {

const char* type_text(int type) {
  switch (type) {
    case kFloat:
      return "float";
    case kUint8:
      return "uint8";
    case kInt8:
      return "int8";
    case kInt16:
      return "int16";
    case kInt32:
      return "int32";
    default:
      return "another type";
  }
}

size_t element_bytes(ElementType type) {
  if (type == kInt16) return 2;
  return type == kFloat || type == kInt32 ? 4 : 1;
}

bool is_constant(const TfLiteTensor& tensor) {
  return tensor.allocation_type == kMmapRo || tensor.allocation_type == kPersistentRo;
}

std::vector<int> to_vector(const TfLiteIntArray* array) {
  return array ? std::vector<int>(array->data, array->data + array->size) : std::vector<int>();
}

}  // namespace

size_t Tensor::count() const {
  size_t product = 1;
  for (const int64_t length : shape) product *= size_t(length);
  return product;
}

OpNode::OpNode(const char* op, TfLiteContext* context, const TfLiteNode& node)
    : op_(op), inputs_(to_vector(node.inputs)), outputs_(to_vector(node.outputs)) {
  const size_t num_bytes = node.custom_initial_data && node.custom_initial_data_size > 0
                               ? size_t(node.custom_initial_data_size)
                               : 0;
  whole_options_ = num_bytes % sizeof(int32_t) == 0;
  options_.resize(num_bytes / sizeof(int32_t));
  if (!options_.empty()) {
    std::memcpy(options_.data(), node.custom_initial_data, options_.size() * sizeof(int32_t));
  }
  for (const std::vector<int>* indices : {&inputs_, &outputs_}) {
    for (const int index : *indices) {
      if (index != kOptionalTensor && (index < 0 || size_t(index) >= context->tensors_size)) {
        fail(op_, text("tensors below ", context->tensors_size), text("tensor ", index));
      }
    }
  }
}

void OpNode::expect_counts(size_t num_inputs, size_t num_outputs, size_t num_options) const {
  if (inputs_.size() != num_inputs) fail(op_, text(num_inputs, " inputs"), text(inputs_.size()));
  if (outputs_.size() != num_outputs) fail(op_, text(num_outputs, " outputs"), text(outputs_.size()));
  if (options_.size() != num_options || !whole_options_) {
    fail(op_, text(num_options, " int32 options"),
         text(options_.size(), whole_options_ ? "" : " and a half"));
  }
}

TfLiteTensor& OpNode::tensor(TfLiteContext* context, const std::vector<int>& indices, size_t index,
                             const std::string& name) const {
  if (indices[index] == kOptionalTensor) fail(op_, name, "none");
  return context->tensors[indices[index]];
}

Tensor OpNode::read(const TfLiteTensor& tensor, const std::string& name, ElementType type) const {
  if (tensor.type != type) fail(op_, text(name, " of ", type_text(type)), type_text(tensor.type));
  Tensor out{.data = tensor.data, .shape = {}};
  size_t num_bytes = element_bytes(type);
  for (const int length : to_vector(tensor.dims)) {
    if (length < 0 || __builtin_mul_overflow(num_bytes, size_t(length), &num_bytes)) {
      fail(op_, text(name, " of a shape that memory holds"), text("a length of ", length));
    }
    out.shape.push_back(length);
  }
  if (tensor.bytes < num_bytes) {
    fail(op_, text(name, " of ", num_bytes, " bytes"), text(tensor.bytes));
  }
  return out;
}

std::vector<int64_t> OpNode::input_shape(TfLiteContext* context, size_t index, const char* name,
                                         ElementType type, const std::vector<int64_t>& shape) const {
  Tensor out = read(tensor(context, inputs_, index, name), name, type);
  bool matches = out.shape.size() == shape.size();
  for (size_t i = 0; matches && i < shape.size(); ++i) matches = shape[i] < 0 || shape[i] == out.shape[i];
  if (!matches) fail(op_, text(name, " of shape ", to_text(shape)), to_text(out.shape));
  return std::move(out.shape);
}

Tensor OpNode::input(TfLiteContext* context, size_t index, const char* name, ElementType type,
                     const std::vector<int64_t>& shape) const {
  Tensor out{.data = tensor(context, inputs_, index, name).data,
             .shape = input_shape(context, index, name, type, shape)};
  if (!out.data && out.count()) fail(op_, text(name, " with memory"), "none");
  return out;
}

std::optional<Tensor> OpNode::constant(TfLiteContext* context, size_t index, const std::string& name,
                                       ElementType type, size_t rank) const {
  if (inputs_[index] == kOptionalTensor) return std::nullopt;
  const TfLiteTensor& raw = context->tensors[inputs_[index]];
  if (!is_constant(raw) || !raw.data)
    fail(op_, text(name, " to be a constant of the file"), "a computed value");
  Tensor out = read(raw, name, type);
  if (out.shape.size() != rank) fail(op_, text(name, " of rank ", rank), to_text(out.shape));
  return out;
}

Tensor OpNode::required_constant(TfLiteContext* context, size_t index, const std::string& name,
                                 ElementType type, size_t rank) const {
  std::optional<Tensor> out = constant(context, index, name, type, rank);
  if (!out) fail(op_, name, "none");
  return *out;
}

void OpNode::expect_values(const std::string& name, size_t expected, size_t received) const {
  if (received != expected) fail(op_, text(name, " of ", expected, " values"), text(received));
}

void OpNode::resize_output(TfLiteContext* context, size_t index, const char* name,
                           const std::vector<int64_t>& shape, ElementType type) const {
  TfLiteTensor& out = tensor(context, outputs_, index, name);
  if (out.type != type) fail(op_, text(name, " of ", type_text(type)), type_text(out.type));
  if (is_constant(out)) fail(op_, text(name, " to be computed"), "a constant of the file");
  auto* dims = static_cast<TfLiteIntArray*>(std::malloc((1 + shape.size()) * sizeof(int)));
  if (!dims) throw std::bad_alloc();
  dims->size = int(shape.size());
  for (size_t i = 0; i < shape.size(); ++i) dims->data[i] = int(shape[i]);
  if (context->ResizeTensor(context, &out, dims) != kOk) {
    fail(op_, text(name, " of shape ", to_text(shape)), "a tensor that cannot have it");
  }
}

void* OpNode::output_bytes(TfLiteContext* context, size_t index, const char* name, ElementType type,
                           const std::vector<int64_t>& shape) const {
  const TfLiteTensor& raw = tensor(context, outputs_, index, name);
  const Tensor out = read(raw, name, type);
  if (out.shape != shape) fail(op_, text(name, " of shape ", to_text(shape)), to_text(out.shape));
  if (!out.data && out.count()) fail(op_, text(name, " with memory"), "none");
  return out.data;
}

}  // namespace whit::litert
