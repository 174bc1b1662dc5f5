#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "whit/packed_matrix.h"
#include "whit/tflite_file.h"

namespace whit {

/// A tensor that an operator reads or writes, checked for type and shape.
struct Operand {
  size_t tensor;
  Shape shape;
};

/// Which inputs of a node hold a packed matrix.
struct PackedInputs {
  size_t data;
  size_t codebook;
  std::optional<size_t> scale = {};  ///< none where the operator computes in integers
  std::optional<size_t> bias = {};
};

/// What a file says about a packed matrix, unchecked.
struct PackedAttributes {
  int64_t rows;
  int64_t cols;
  int64_t bits;
  int32_t layout;
};

/// One operator of a file as its maker sees it. Every call checks what it returns and throws a Failure that
/// names the operator.
class Node {
 public:
  /// @param[in] place  for messages, for example "encode/PackedLSTM 2".
  /// @param     copied  bytes of constants that operators hold beside the file, which has a limit
  Node(const TfliteSubgraph& subgraph, const TfliteOperator& op, std::string place, size_t& copied)
      : subgraph_(subgraph), op_(op), place_(std::move(place)), copied_(copied) {}

  const std::string& place() const { return place_; }

  void expect_ports(size_t num_inputs, size_t num_outputs) const;
  size_t num_inputs() const { return op_.inputs.size(); }
  size_t num_outputs() const { return op_.outputs.size(); }
  bool has_input(size_t i) const { return op_.inputs[i] >= 0; }

  /// @param[in] dims  expected lengths, -1 for any.
  Operand input(size_t i, std::string_view name, TensorType type, std::initializer_list<int64_t> dims) const;
  /// The same for what must not be a constant: streams that run together each have their own.
  Operand computed_input(size_t i, std::string_view name, TensorType type,
                         std::initializer_list<int64_t> dims) const;
  Operand output(size_t i, std::string_view name, TensorType type, std::initializer_list<int64_t> dims) const;
  /// The same without an expectation.
  const TfliteTensor& input_tensor(size_t i) const;
  const TfliteTensor& output_tensor(size_t i) const;
  Operand any_input(size_t i) const;
  Operand any_output(size_t i) const;

  /// Returns the values of a constant int32 input, in or behind the flatbuffer.
  std::vector<int32_t> constant_ints(size_t i, std::string_view name) const;

  /// Returns a constant of an operator of ours: it must lie in the data section.
  std::optional<std::span<const std::byte>> constant(size_t i, std::string_view name, TensorType type,
                                                     int rank) const;

  /// Returns the values of a constant vector of an operator of ours, at an address that suits T.
  template <typename T>
  std::vector<T> constant_vector(size_t i, std::string_view name, TensorType type, size_t count) const {
    const auto content = constant(i, name, type, 1);
    expect_bytes(name, count * sizeof(T), content ? content->size() : 0);
    count_copy(count * sizeof(T));
    std::vector<T> values(count);
    std::memcpy(values.data(), content->data(), content->size());
    return values;
  }

  /// Returns the attributes of an operator of ours.
  std::vector<int32_t> attributes(size_t count) const;
  /// The same where all are floats.
  std::vector<float> float_attributes(size_t count) const;
  /// Returns a packed matrix that lies in the data section.
  /// @param[in] matrix  names it in messages, for example "W"; may be empty.
  PackedMatrix packed_matrix(std::string_view matrix, const PackedInputs& inputs,
                             const PackedAttributes& attributes) const;

  /// Returns a scalar of the built-in options; `absent` where they or the field are absent.
  /// @param[in] options_type  the table's number in the union BuiltinOptions.
  template <typename T>
  T option(uint8_t options_type, int field, T absent, const char* name) const {
    if (!op_.options) return absent;
    check_options_type(options_type);
    return op_.options->scalar<T>(field, absent, name);
  }
  /// Returns a vector of int32 of the built-in options; empty where it is absent.
  std::vector<int32_t> option_ints(uint8_t options_type, int field, const char* name) const;
  void expect_no_activation(uint8_t options_type, int field) const;

  /// Returns an axis option as a number from 0.
  int axis(int64_t value, int rank) const;

 private:
  void check_options_type(uint8_t expected) const;
  void expect_bytes(std::string_view name, size_t expected, size_t received) const;
  void count_copy(size_t num_bytes) const;
  Operand checked(int32_t tensor, std::string_view name, TensorType type,
                  std::initializer_list<int64_t> dims) const;

  const TfliteSubgraph& subgraph_;
  const TfliteOperator& op_;
  std::string place_;
  size_t& copied_;
};

}  // namespace whit
