#include <cstring>
#include <optional>
#include <string>

#include "custom_op.h"
#include "ops.h"
#include "packed_weights.h"
#include "whit/aligned_buffer.h"
#include "whit/fail.h"
#include "whit/lstm.h"
#include "whit/packed_view.h"

namespace whit::ort {
namespace {

// `prefix` begins the names of the attributes that say how the matrix is packed.
PackedMatrix read_matrix(const Node& node, const char* matrix, const PackedInputs& inputs, int64_t rows,
                         int64_t cols, const std::string& prefix) {
  return read_packed_matrix(node, matrix, inputs, rows, cols, node.int_attribute((prefix + "_bits").c_str()),
                            node.string_attribute((prefix + "_layout").c_str()));
}

/// Reads a layer whose bias is input `bias`, before which a projection's matrix may come.
PackedLstm read_layer(const Node& node, std::optional<int64_t> projection_size, size_t bias) {
  const int64_t hidden_size = node.int_attribute("hidden_size");
  const int64_t rows = checked_lstm_packed_rows(node.op(), hidden_size);
  PackedLstm layer{
      .hidden_size = size_t(hidden_size),
      .w = read_matrix(node, "W", {.data = 3, .codebook = 4, .scale = 5, .bias = bias}, rows,
                       node.int_attribute("input_size"), "w"),
      .r = read_matrix(node, "R", {.data = 6, .codebook = 7, .scale = 8}, rows,
                       projection_size.value_or(hidden_size), "r"),
  };
  if (projection_size) {
    layer.p =
        read_matrix(node, "P", {.data = 9, .codebook = 10, .scale = 11}, *projection_size, hidden_size, "p");
  }
  if (!layer.w.bias) fail(node.op(), "bias to be a constant initializer", "a computed value or none");
  return layer;
}

void run(const PackedLstm& layer, const Call& call) {
  if (!layer.w.codebook) call.expect_absent(4, "W codebook");
  if (!layer.r.codebook) call.expect_absent(7, "R codebook");
  if (layer.p && !layer.p->codebook) call.expect_absent(10, "P codebook");
  const int64_t hidden_size = int64_t(layer.hidden_size), output_size = int64_t(layer.output_size());
  const Tensor x = call.input(0, "x", kFloat, {-1, int64_t(layer.w.cols)});
  const Tensor h = call.input(1, "h", kFloat, {1, output_size});
  const Tensor c = call.input(2, "c", kFloat, {1, hidden_size});
  float* y = call.output(0, "y", {x.shape[0], output_size});
  float* h_next = call.output(1, "h", {1, output_size});
  float* c_next = call.output(2, "c", {1, hidden_size});
  std::memmove(h_next, h.data, layer.output_size() * sizeof(float));
  std::memmove(c_next, c.data, layer.hidden_size * sizeof(float));
  const size_t num_frames = size_t(x.shape[0]);
  const AlignedBuffer scratch(lstm_scratch_bytes(layer, num_frames));
  lstm(layer, FloatView(x.data), num_frames, h_next, c_next, y, scratch.data());
}

class PackedLstmKernel {
 public:
  static constexpr const char* kName = "PackedLSTM";
  static constexpr Port kInputs[] = {{kFloat}, {kFloat},           {kFloat},  //
                                     {kUint8}, {kInt8, kOptional}, {kFloat},  // W
                                     {kUint8}, {kInt8, kOptional}, {kFloat},  // R
                                     {kFloat}};
  static constexpr Port kOutputs[] = {{kFloat}, {kFloat}, {kFloat}};

  explicit PackedLstmKernel(const Node& node) : layer_(read_layer(node, std::nullopt, 9)) {}

  void compute(const Call& call) const { run(layer_, call); }

 private:
  PackedLstm layer_;
};

class PackedLstmpKernel {
 public:
  static constexpr const char* kName = "PackedLSTMP";
  static constexpr Port kInputs[] = {{kFloat}, {kFloat},           {kFloat},  //
                                     {kUint8}, {kInt8, kOptional}, {kFloat},  // W
                                     {kUint8}, {kInt8, kOptional}, {kFloat},  // R
                                     {kUint8}, {kInt8, kOptional}, {kFloat},  // P
                                     {kFloat}};
  static constexpr Port kOutputs[] = {{kFloat}, {kFloat}, {kFloat}};

  explicit PackedLstmpKernel(const Node& node)
      : layer_(read_layer(node, node.int_attribute("projection_size"), 12)) {}

  void compute(const Call& call) const { run(layer_, call); }

 private:
  PackedLstm layer_;
};

}  // namespace

constinit const OrtCustomOp kPackedLstm = make_custom_op<PackedLstmKernel>();
constinit const OrtCustomOp kPackedLstmp = make_custom_op<PackedLstmpKernel>();

}  // namespace whit::ort
