#include "engine/node.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "whit/fail.h"
#include "whit/packed_view.h"

namespace whit {

void Node::expect_ports(size_t num_inputs, size_t num_outputs) const {
  if (op_.inputs.size() == num_inputs && op_.outputs.size() == num_outputs) return;
  fail(place_, text(num_inputs, " inputs and ", num_outputs, " outputs"),
       text(op_.inputs.size(), " and ", op_.outputs.size()));
}

Operand Node::checked(int32_t tensor, std::string_view name, TensorType type,
                      std::initializer_list<int64_t> dims) const {
  Shape expected{.rank = int(dims.size())};
  std::ranges::copy(dims, expected.dims.begin());
  const TfliteTensor& t = subgraph_.tensors[size_t(tensor)];
  bool same = t.type == type && t.shape.rank == expected.rank;
  for (int axis = 0; same && axis < expected.rank; ++axis) {
    const int64_t wanted = expected.dims[size_t(axis)];
    same = wanted < 0 || wanted == t.shape.dims[size_t(axis)];
  }
  if (!same) {
    fail(place_, text(name, " of ", type_name(type), " ", expected.text()),
         text(type_name(t.type), " ", t.shape.text()));
  }
  return {.tensor = size_t(tensor), .shape = t.shape};
}

const TfliteTensor& Node::input_tensor(size_t i) const {
  if (i >= op_.inputs.size() || op_.inputs[i] < 0) fail(place_, text("input ", i), "none");
  return subgraph_.tensors[size_t(op_.inputs[i])];
}

const TfliteTensor& Node::output_tensor(size_t i) const {
  if (i >= op_.outputs.size()) fail(place_, text("output ", i), "none");
  return subgraph_.tensors[size_t(op_.outputs[i])];
}

Operand Node::any_input(size_t i) const {
  const TfliteTensor& tensor = input_tensor(i);  // checks i
  return {.tensor = size_t(op_.inputs[i]), .shape = tensor.shape};
}

Operand Node::any_output(size_t i) const {
  const TfliteTensor& tensor = output_tensor(i);  // checks i
  return {.tensor = size_t(op_.outputs[i]), .shape = tensor.shape};
}

Operand Node::input(size_t i, std::string_view name, TensorType type,
                    std::initializer_list<int64_t> dims) const {
  if (i >= op_.inputs.size() || op_.inputs[i] < 0) fail(place_, text("the input ", name), "none");
  return checked(op_.inputs[i], name, type, dims);
}

Operand Node::computed_input(size_t i, std::string_view name, TensorType type,
                             std::initializer_list<int64_t> dims) const {
  const Operand operand = input(i, name, type, dims);
  if (input_tensor(i).constant) fail(place_, text(name, " to be computed"), "a constant");
  return operand;
}

Operand Node::output(size_t i, std::string_view name, TensorType type,
                     std::initializer_list<int64_t> dims) const {
  if (i >= op_.outputs.size()) fail(place_, text("the output ", name), "none");
  return checked(op_.outputs[i], name, type, dims);
}

std::vector<int32_t> Node::constant_ints(size_t i, std::string_view name) const {
  const TfliteTensor& tensor = input_tensor(i);
  if (!tensor.constant || tensor.type != TensorType::kInt32 || tensor.shape.rank > 1 ||
      tensor.shape.count() > Shape::kMaxRank) {
    fail(place_, text(name, " as up to ", Shape::kMaxRank, " constant int32"),
         text(tensor.constant ? "constant " : "computed ", type_name(tensor.type), " ", tensor.shape.text()));
  }
  std::vector<int32_t> values(size_t(tensor.shape.count()));
  std::memcpy(values.data(), tensor.constant->data(), tensor.constant->size());
  return values;
}

std::optional<std::span<const std::byte>> Node::constant(size_t i, std::string_view name, TensorType type,
                                                         int rank) const {
  if (i >= op_.inputs.size() || op_.inputs[i] < 0) return std::nullopt;
  const TfliteTensor& tensor = subgraph_.tensors[size_t(op_.inputs[i])];
  if (!tensor.constant || !tensor.in_data_section) {
    fail(place_, text(name, " in the data section"),
         tensor.constant ? "one inside the flatbuffer" : "a computed value");
  }
  if (tensor.type != type || tensor.shape.rank != rank) {
    fail(place_, text(name, " of type ", type_name(type), " and rank ", rank),
         text(type_name(tensor.type), " ", tensor.shape.text()));
  }
  return tensor.constant;
}

void Node::expect_bytes(std::string_view name, size_t expected, size_t received) const {
  if (expected == 0 || received != expected) {
    fail(place_, text(name, " of ", expected, " bytes"), text(received));
  }
}

void Node::count_copy(size_t num_bytes) const {
  // Any number of operators may name one vector: a small file must not ask for much memory.
  constexpr size_t kMost = size_t{64} << 20;
  if (num_bytes > kMost - copied_)
    fail(place_, text("constants of at most ", kMost, " bytes together"), "more");
  copied_ += num_bytes;
}

std::vector<int32_t> Node::attributes(size_t count) const {
  std::vector<int32_t> values(count);
  if (op_.custom_options.size() != count * sizeof(int32_t)) {
    fail(place_, text(count, " int32 attributes"), text(op_.custom_options.size(), " bytes"));
  }
  if (count) std::memcpy(values.data(), op_.custom_options.data(), op_.custom_options.size());
  return values;
}

std::vector<float> Node::float_attributes(size_t count) const {
  std::vector<float> values;
  for (const int32_t bits : attributes(count)) values.push_back(std::bit_cast<float>(bits));
  return values;
}

PackedMatrix Node::packed_matrix(std::string_view matrix, const PackedInputs& inputs,
                                 const PackedAttributes& attributes) const {
  const std::string space = matrix.empty() ? "" : " ";
  const std::string prefix = text(matrix, space);
  const auto data = constant(inputs.data, prefix + "data", TensorType::kUint8, 1);
  const auto codebook = constant(inputs.codebook, prefix + "codebook", TensorType::kInt8, 2);
  std::optional<std::span<const std::byte>> scale, bias;
  if (inputs.scale) scale = constant(*inputs.scale, prefix + "scale", TensorType::kFloat32, 1);
  if (!data || (inputs.scale && !scale)) fail(place_, text(prefix, "data and scale"), "none");
  if (inputs.bias) bias = constant(*inputs.bias, "bias", TensorType::kFloat32, 1);
  const Shape codebook_shape = codebook ? input_tensor(inputs.codebook).shape : Shape{};
  const char* layouts[] = {"E", "P"};
  const int32_t layout = attributes.layout;
  if (layout < 0 || layout > 1) fail(place_, "layout 0 (E) or 1 (P)", text(layout));
  return view_packed_matrix(text(place_, space, matrix),
                            {
                                .rows = attributes.rows,
                                .cols = attributes.cols,
                                .bits = attributes.bits,
                                .layout = layouts[layout],
                                .data = data->data(),
                                .data_bytes = data->size(),
                                .codebook = codebook ? codebook->data() : nullptr,
                                .codebook_tiles = size_t(codebook_shape.dims[0]),
                                .codebook_width = size_t(codebook_shape.dims[1]),
                                .scale = scale ? scale->data() : nullptr,
                                .scale_count = scale ? scale->size() / sizeof(float) : 0,
                                .integer = !inputs.scale,
                                .bias = bias ? bias->data() : nullptr,
                                .bias_count = bias ? bias->size() / sizeof(float) : 0,
                            });
}

void Node::check_options_type(uint8_t expected) const {
  if (op_.options_type != expected) {
    fail(place_, text("options of type ", int(expected)), text("type ", int(op_.options_type)));
  }
}

std::vector<int32_t> Node::option_ints(uint8_t options_type, int field, const char* name) const {
  if (!op_.options) return {};
  check_options_type(options_type);
  const FlatVector vector = op_.options->scalars<int32_t>(field, Shape::kMaxRank, name);
  std::vector<int32_t> values(vector.count());
  for (size_t i = 0; i < values.size(); ++i) values[i] = vector.scalar<int32_t>(i);
  return values;
}

void Node::expect_no_activation(uint8_t options_type, int field) const {
  const auto activation = option<int8_t>(options_type, field, 0, "fused_activation_function");
  if (activation) fail(place_, "no fused activation", text("number ", int(activation)));
}

int Node::axis(int64_t value, int rank) const {
  const int64_t axis = value < 0 ? value + rank : value;
  if (axis < 0 || axis >= rank) fail(place_, text("an axis of ", rank), text(value));
  return int(axis);
}

}  // namespace whit
