#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ort_abi.h"

namespace whit::ort {

/// A status of ONNX Runtime's own on its way to the border, which returns it.
struct StatusError {
  OrtStatus* status;
};

/// Throws StatusError unless status is null.
void check(OrtStatus* status);

/// A tensor in place; the pointer may be unaligned.
struct Tensor {
  void* data;
  ElementType type;
  std::vector<int64_t> shape;

  size_t count() const;
  std::string shape_text() const;
};

/// A node while ONNX Runtime makes its kernel: attributes and constant inputs.
/// Each method throws std::invalid_argument "[op] expected ..., received ...".
class Node {
 public:
  Node(const char* op, OrtApi* api, const OrtKernelInfo* info) : op_(op), api_(api), info_(info) {}

  const char* op() const { return op_; }
  int64_t int_attribute(const char* name) const;
  /// Returns an int attribute, which must fit 32 bits.
  int32_t int32_attribute(const char* name) const;
  float float_attribute(const char* name) const;
  std::string string_attribute(const char* name) const;

  /// Returns a constant input, or nothing where it is absent or computed.
  std::optional<Tensor> constant(size_t index, const std::string& name, ElementType type) const;
  /// Returns a constant input of rank 1.
  Tensor required_vector(size_t index, const std::string& name, ElementType type) const;
  /// Returns a copy of one of `count` values, at an address that suits T.
  template <typename T>
  std::vector<T> constant_vector(size_t index, const std::string& name, ElementType type,
                                 size_t count) const {
    const Tensor tensor = required_vector(index, name, type);
    expect_values(name, count, tensor.count());
    std::vector<T> values(count);
    std::memcpy(values.data(), tensor.data, count * sizeof(T));
    return values;
  }

 private:
  void expect_values(const std::string& name, size_t expected, size_t received) const;

  const char* op_;
  OrtApi* api_;
  const OrtKernelInfo* info_;
};

/// A node while it runs. Each method throws std::invalid_argument as above.
class Call {
 public:
  Call(const char* op, OrtApi* api, OrtKernelContext* context) : op_(op), api_(api), context_(context) {}

  /// Returns an input whose shape must match; -1 matches any size.
  Tensor input(size_t index, const char* name, ElementType type, const std::vector<int64_t>& shape) const;
  /// The same, or nothing where it is absent.
  std::optional<Tensor> optional_input(size_t index, const char* name, ElementType type,
                                       const std::vector<int64_t>& shape) const;
  /// Refuses an input that was absent or computed when the kernel was made, and is there now.
  void expect_absent(size_t index, const char* name) const;
  /// @tparam T  as the operator's output is declared
  template <typename T = float>
  T* output(size_t index, const char* name, const std::vector<int64_t>& shape) const {
    return static_cast<T*>(output_bytes(index, name, shape));
  }

 private:
  void* output_bytes(size_t index, const char* name, const std::vector<int64_t>& shape) const;

  const char* op_;
  OrtApi* api_;
  OrtKernelContext* context_;
};

}  // namespace whit::ort
