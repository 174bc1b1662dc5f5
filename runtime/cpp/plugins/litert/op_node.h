#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "tflite_abi.h"

namespace whit::litert {

/// A tensor in place; the pointer may be unaligned.
struct Tensor {
  void* data;
  std::vector<int64_t> shape;

  size_t count() const;
};

/// One operator of a graph: the indices of its tensors and its custom options, as the file gives them.
/// Each method checks what it returns and throws a Failure "[operator] expected ..., received ...".
class OpNode {
 public:
  OpNode(const char* op, TfLiteContext* context, const TfLiteNode& node);

  const char* op() const { return op_; }

  /// Checks how many inputs, outputs and int32 options there are.
  void expect_counts(size_t num_inputs, size_t num_outputs, size_t num_options) const;
  bool has_input(size_t index) const { return inputs_[index] != kOptionalTensor; }
  int32_t option(size_t index) const { return options_[index]; }
  float float_option(size_t index) const { return std::bit_cast<float>(options_[index]); }

  /// Returns the shape of an input, which must match; -1 matches any length. Before the graph runs, an input
  /// has no memory yet.
  std::vector<int64_t> input_shape(TfLiteContext* context, size_t index, const char* name, ElementType type,
                                   const std::vector<int64_t>& shape) const;
  /// Returns an input of a running graph, checked likewise.
  Tensor input(TfLiteContext* context, size_t index, const char* name, ElementType type,
               const std::vector<int64_t>& shape) const;
  /// Returns a constant of the file, or nothing where the input is absent.
  std::optional<Tensor> constant(TfLiteContext* context, size_t index, const std::string& name,
                                 ElementType type, size_t rank) const;
  Tensor required_constant(TfLiteContext* context, size_t index, const std::string& name, ElementType type,
                           size_t rank) const;
  /// Returns a copy of a constant vector of `count` values, at an address that suits T.
  template <typename T>
  std::vector<T> constant_vector(TfLiteContext* context, size_t index, const std::string& name,
                                 size_t count) const {
    const Tensor tensor = required_constant(context, index, name, type_of<T>(), 1);
    expect_values(name, count, tensor.count());
    std::vector<T> values(count);
    std::memcpy(values.data(), tensor.data, count * sizeof(T));
    return values;
  }

  /// Whether an output of a running graph has memory: LiteRT gives none to what no operator reads.
  bool has_memory(TfLiteContext* context, size_t index, const char* name) const {
    return tensor(context, outputs_, index, name).data != nullptr;
  }
  /// Gives an output its shape; only while the graph is prepared.
  void resize_output(TfLiteContext* context, size_t index, const char* name,
                     const std::vector<int64_t>& shape, ElementType type = kFloat) const;
  /// Returns an output, whose shape and type must be what `resize_output` gave it.
  template <typename T = float>
  T* output(TfLiteContext* context, size_t index, const char* name, const std::vector<int64_t>& shape) const {
    return static_cast<T*>(output_bytes(context, index, name, type_of<T>(), shape));
  }

 private:
  template <typename T>
  static constexpr ElementType type_of() {
    if (std::is_same_v<T, int8_t>) return kInt8;
    if (std::is_same_v<T, int16_t>) return kInt16;
    return std::is_same_v<T, int32_t> ? kInt32 : kFloat;
  }
  void* output_bytes(TfLiteContext* context, size_t index, const char* name, ElementType type,
                     const std::vector<int64_t>& shape) const;
  void expect_values(const std::string& name, size_t expected, size_t received) const;
  TfLiteTensor& tensor(TfLiteContext* context, const std::vector<int>& indices, size_t index,
                       const std::string& name) const;
  Tensor read(const TfLiteTensor& tensor, const std::string& name, ElementType type) const;

  const char* op_;
  std::vector<int> inputs_;
  std::vector<int> outputs_;
  std::vector<int32_t> options_;
  bool whole_options_;
};

}  // namespace whit::litert
