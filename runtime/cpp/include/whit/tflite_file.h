#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "whit/flatbuffer.h"

namespace whit {

/// Element types, with their numbers in the schema.
enum class TensorType : uint8_t { kFloat32 = 0, kInt32 = 2, kUint8 = 3, kInt16 = 7, kInt8 = 9 };

size_t element_bytes(TensorType type);
const char* type_name(TensorType type);

/// Static lengths of up to four axes.
struct Shape {
  static constexpr int kMaxRank = 4;

  int rank = 0;
  std::array<int64_t, kMaxRank> dims = {};

  /// Number of elements; below 2^31 in every shape that `read_tflite` gives.
  int64_t count() const;
  bool operator==(const Shape& other) const = default;
  std::string text() const;
};

struct TfliteTensor {
  std::string_view name;
  TensorType type;
  Shape shape = {};
  std::optional<std::span<const std::byte>> constant = {};  ///< of exactly the shape's size
  bool in_data_section = false;                             ///< else inside the flatbuffer, at any address

  /// Of 64 bits on every machine, for a file may state more than memory has addresses.
  uint64_t num_bytes() const { return uint64_t(shape.count()) * element_bytes(type); }
};

struct TfliteOperator {
  int32_t builtin_code;          ///< 32: custom
  std::string_view custom_name;  ///< for example "whit.Affine"; empty of a built-in operator
  std::vector<int32_t> inputs;   ///< tensor indices in range; -1: absent
  std::vector<int32_t> outputs;  ///< tensor indices in range
  std::span<const std::byte> custom_options;
  uint8_t options_type;              ///< number in the union BuiltinOptions; 0: none
  std::optional<FlatTable> options;  ///< of a built-in operator, where it has any
};

struct TfliteSubgraph {
  std::vector<TfliteTensor> tensors;
  std::vector<int32_t> inputs;
  std::vector<int32_t> outputs;
  std::vector<TfliteOperator> operators;  ///< in execution order
};

struct NamedTensor {
  std::string_view name;
  int32_t tensor;  ///< in range of the signature's subgraph
};

struct TfliteSignature {
  std::string_view key;
  size_t subgraph;
  std::vector<NamedTensor> inputs;
  std::vector<NamedTensor> outputs;
};

struct TfliteMetadata {
  std::string_view name;
  std::span<const std::byte> content;
};

/// What a .tflite file says, with every offset, index and size checked; it refers to the file's bytes.
struct TfliteFile {
  std::vector<TfliteSubgraph> subgraphs;
  std::vector<TfliteSignature> signatures;
  std::vector<TfliteMetadata> metadata;
  size_t data_section_bytes;  ///< up to the end of the file

  /// Returns a piece of metadata. @throws Failure where it is missing.
  std::span<const std::byte> metadata_content(std::string_view name) const;
  /// Returns a signature. @throws Failure where it is missing.
  const TfliteSignature& signature(std::string_view key) const;
};

/// Reads the structure of a file (docs/format.md, section 9); what its operators mean is checked by `Graph`.
/// @throws Failure for the first defect.
TfliteFile read_tflite(std::span<const std::byte> file);

}  // namespace whit
