#include <cstring>

#include "engine/ops/ops.h"
#include "whit/fail.h"
#include "whit/lstm.h"
#include "whit/packed_view.h"

namespace whit {
namespace {

class PackedLstmOp : public Op {
 public:
  explicit PackedLstmOp(const Node& node) {
    node.expect_ports(10, 3);
    const auto attributes =
        node.attributes(6);  // input_size, hidden_size, w_bits, w_layout, r_bits, r_layout
    const int64_t rows = checked_lstm_packed_rows(node.place(), attributes[1]);
    layer_ = {
        .hidden_size = size_t(attributes[1]),
        .w = node.packed_matrix(
            "W", {.data = 3, .codebook = 4, .scale = 5, .bias = 9},
            {.rows = rows, .cols = attributes[0], .bits = attributes[2], .layout = attributes[3]}),
        .r = node.packed_matrix(
            "R", {.data = 6, .codebook = 7, .scale = 8},
            {.rows = rows, .cols = attributes[1], .bits = attributes[4], .layout = attributes[5]}),
    };
    if (!layer_.w.bias) fail(node.place(), "a bias", "none");
    const int64_t hidden_size = attributes[1];
    x_ = node.computed_input(0, "x", TensorType::kFloat32, {-1, int64_t(layer_.w.cols)});
    h_ = node.computed_input(1, "h", TensorType::kFloat32, {1, hidden_size});
    c_ = node.computed_input(2, "c", TensorType::kFloat32, {1, hidden_size});
    num_frames_ = size_t(x_.shape.dims[0]);
    y_ = node.output(0, "y", TensorType::kFloat32, {x_.shape.dims[0], hidden_size});
    h_next_ = node.output(1, "h", TensorType::kFloat32, {1, hidden_size});
    c_next_ = node.output(2, "c", TensorType::kFloat32, {1, hidden_size});
  }

  void run(const TensorMemory& memory, std::byte* scratch, Workers* workers) const override {
    const LstmBatch batch{.num_streams = memory.num_streams(), .num_frames = num_frames_};
    const size_t state_bytes = batch.num_streams * layer_.hidden_size * sizeof(float);
    float* h = memory.write_floats(h_next_.tensor);
    float* c = memory.write_floats(c_next_.tensor);
    std::memcpy(h, memory.read(h_.tensor), state_bytes);
    std::memcpy(c, memory.read(c_.tensor), state_bytes);
    lstm(layer_, FloatView(memory.read(x_.tensor)), batch, h, c, memory.write_floats(y_.tensor), scratch,
         workers);
  }
  size_t scratch_bytes() const override { return lstm_scratch_bytes(layer_, num_frames_); }
  int64_t work() const override {
    return int64_t(num_frames_ * layer_.w.padded_rows() * (layer_.w.padded_cols() + layer_.r.padded_cols()));
  }

 private:
  PackedLstm layer_;
  Operand x_, h_, c_, y_, h_next_, c_next_;
  size_t num_frames_;
};

}  // namespace

std::unique_ptr<Op> make_packed_lstm(const Node& node) { return std::make_unique<PackedLstmOp>(node); }

}  // namespace whit
