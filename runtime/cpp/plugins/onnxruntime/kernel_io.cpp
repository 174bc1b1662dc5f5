#include "kernel_io.h"

#include <memory>

#include "../shape_text.h"
#include "whit/fail.h"

namespace whit::ort {
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

Tensor read(const char* op, const std::string& name, OrtApi* api, const OrtValue* value, ElementType type) {
  OrtTensorTypeAndShapeInfo* raw = nullptr;
  check(call<GetTensorTypeAndShape>(api, value, &raw));
  const auto release = [api](OrtTensorTypeAndShapeInfo* info) {
    call<ReleaseTensorTypeAndShapeInfo>(api, info);
  };
  const std::unique_ptr<OrtTensorTypeAndShapeInfo, decltype(release)> info(raw, release);
  int element_type = 0;
  check(call<GetTensorElementType>(api, info.get(), &element_type));
  if (element_type != type) fail(op, text(name, " of ", type_text(type)), type_text(element_type));
  size_t rank = 0;
  check(call<GetDimensionsCount>(api, info.get(), &rank));
  Tensor tensor{.data = nullptr, .type = type, .shape = std::vector<int64_t>(rank)};
  check(call<GetDimensions>(api, info.get(), tensor.shape.data(), rank));
  check(call<GetTensorMutableData>(api, const_cast<OrtValue*>(value), &tensor.data));
  return tensor;
}

}  // namespace

void check(OrtStatus* status) {
  if (status) throw StatusError{status};
}

size_t Tensor::count() const {
  size_t product = 1;
  for (const int64_t size : shape) product *= size_t(size);
  return product;
}

std::string Tensor::shape_text() const { return to_text(shape); }

int64_t Node::int_attribute(const char* name) const {
  int64_t value = 0;
  if (OrtStatus* status = call<KernelInfoGetAttribute_int64>(api_, info_, name, &value)) {
    call<ReleaseStatus>(api_, status);
    fail(op_, text("an int attribute ", name), "none");
  }
  return value;
}

int32_t Node::int32_attribute(const char* name) const {
  const int64_t value = int_attribute(name);
  if (value < INT32_MIN || value > INT32_MAX)
    fail(op_, text("an attribute ", name, " of 32 bits"), text(value));
  return int32_t(value);
}

float Node::float_attribute(const char* name) const {
  float value = 0;
  if (OrtStatus* status = call<KernelInfoGetAttribute_float>(api_, info_, name, &value)) {
    call<ReleaseStatus>(api_, status);
    fail(op_, text("a float attribute ", name), "none");
  }
  return value;
}

std::string Node::string_attribute(const char* name) const {
  char value[64];
  size_t size = sizeof(value);  // in: capacity, out: length with the final 0
  if (OrtStatus* status = call<KernelInfoGetAttribute_string>(api_, info_, name, &value[0], &size)) {
    call<ReleaseStatus>(api_, status);
    fail(op_, text("a string attribute ", name, " of at most 63 bytes"), "none, or a longer one");
  }
  return std::string(value, size ? size - 1 : 0);
}

std::optional<Tensor> Node::constant(size_t index, const std::string& name, ElementType type) const {
  int is_constant = 0;
  const OrtValue* value = nullptr;
  check(call<KernelInfoGetConstantInput_tensor>(api_, info_, index, &is_constant, &value));
  if (!is_constant || !value) return std::nullopt;
  return read(op_, name, api_, value, type);
}

Tensor Node::required_vector(size_t index, const std::string& name, ElementType type) const {
  std::optional<Tensor> tensor = constant(index, name, type);
  if (!tensor) fail(op_, text(name, " to be a constant initializer"), "a computed value or none");
  if (tensor->shape.size() != 1) fail(op_, text(name, " of rank 1"), tensor->shape_text());
  return *tensor;
}

void Node::expect_values(const std::string& name, size_t expected, size_t received) const {
  if (received != expected) fail(op_, text(name, " of ", expected, " values"), text(received));
}

Tensor Call::input(size_t index, const char* name, ElementType type,
                   const std::vector<int64_t>& shape) const {
  const OrtValue* value = nullptr;
  check(call<KernelContext_GetInput>(api_, context_, index, &value));
  if (!value) fail(op_, text("input ", name), "none");
  Tensor tensor = read(op_, name, api_, value, type);
  bool matches = tensor.shape.size() == shape.size();
  for (size_t i = 0; matches && i < shape.size(); ++i) matches = shape[i] < 0 || shape[i] == tensor.shape[i];
  if (!matches) fail(op_, text(name, " of shape ", to_text(shape)), tensor.shape_text());
  return tensor;
}

std::optional<Tensor> Call::optional_input(size_t index, const char* name, ElementType type,
                                           const std::vector<int64_t>& shape) const {
  const OrtValue* value = nullptr;
  check(call<KernelContext_GetInput>(api_, context_, index, &value));
  if (!value) return std::nullopt;
  return input(index, name, type, shape);
}

void Call::expect_absent(size_t index, const char* name) const {
  const OrtValue* value = nullptr;
  check(call<KernelContext_GetInput>(api_, context_, index, &value));
  if (value) fail(op_, text(name, " to be a constant initializer"), "a computed value");
}

void* Call::output_bytes(size_t index, const char* name, const std::vector<int64_t>& shape) const {
  OrtValue* value = nullptr;
  check(call<KernelContext_GetOutput>(api_, context_, index, shape.data(), shape.size(), &value));
  if (!value) fail(op_, text("output ", name, " to be used"), "an empty name");
  void* data = nullptr;
  check(call<GetTensorMutableData>(api_, value, &data));
  return data;
}

}  // namespace whit::ort
