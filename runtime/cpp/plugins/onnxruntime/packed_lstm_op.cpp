#include <cstring>

#include "custom_op.h"
#include "ops.h"
#include "packed_weights.h"
#include "whit/aligned_buffer.h"
#include "whit/fail.h"
#include "whit/lstm.h"
#include "whit/packed_view.h"

namespace whit::ort {
namespace {

PackedLstm read_layer(const Node& node) {
  const int64_t hidden_size = node.int_attribute("hidden_size");
  const int64_t rows = checked_lstm_packed_rows(node.op(), hidden_size);
  const PackedLstm layer{
      .hidden_size = size_t(hidden_size),
      .w = read_packed_matrix(node, "W", {.data = 3, .codebook = 4, .scale = 5, .bias = 9}, rows,
                              node.int_attribute("input_size"), node.int_attribute("w_bits"),
                              node.string_attribute("w_layout")),
      .r = read_packed_matrix(node, "R", {.data = 6, .codebook = 7, .scale = 8}, rows, hidden_size,
                              node.int_attribute("r_bits"), node.string_attribute("r_layout")),
  };
  if (!layer.w.bias) fail(node.op(), "bias to be a constant initializer", "a computed value or none");
  return layer;
}

class PackedLstmKernel {
 public:
  static constexpr const char* kName = "PackedLSTM";
  static constexpr Port kInputs[] = {{kFloat}, {kFloat},           {kFloat},  //
                                     {kUint8}, {kInt8, kOptional}, {kFloat},  // W
                                     {kUint8}, {kInt8, kOptional}, {kFloat},  // R
                                     {kFloat}};
  static constexpr Port kOutputs[] = {{kFloat}, {kFloat}, {kFloat}};

  explicit PackedLstmKernel(const Node& node) : layer_(read_layer(node)) {}

  void compute(const Call& call) const {
    if (!layer_.w.codebook) call.expect_absent(4, "W codebook");
    if (!layer_.r.codebook) call.expect_absent(7, "R codebook");
    const int64_t hidden_size = int64_t(layer_.hidden_size);
    const Tensor x = call.input(0, "x", kFloat, {-1, int64_t(layer_.w.cols)});
    const Tensor h = call.input(1, "h", kFloat, {1, hidden_size});
    const Tensor c = call.input(2, "c", kFloat, {1, hidden_size});
    float* y = call.output(0, "y", {x.shape[0], hidden_size});
    float* h_next = call.output(1, "h", {1, hidden_size});
    float* c_next = call.output(2, "c", {1, hidden_size});
    std::memmove(h_next, h.data, layer_.hidden_size * sizeof(float));
    std::memmove(c_next, c.data, layer_.hidden_size * sizeof(float));
    const size_t num_frames = size_t(x.shape[0]);
    const AlignedBuffer scratch(lstm_scratch_bytes(layer_, num_frames));
    lstm(layer_, FloatView(x.data), num_frames, h_next, c_next, y, scratch.data());
  }

 private:
  PackedLstm layer_;
};

}  // namespace

constinit const OrtCustomOp kPackedLstm = make_custom_op<PackedLstmKernel>();

}  // namespace whit::ort
