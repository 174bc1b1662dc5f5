#include <cstring>

#include "engine/ops/ops.h"
#include "whit/fail.h"
#include "whit/lstm.h"
#include "whit/packed_view.h"

namespace whit {
namespace {

// input_size, hidden_size, w_bits, w_layout, r_bits, r_layout
PackedLstm read_plain(const Node& node) {
  node.expect_ports(10, 3);
  const auto a = node.attributes(6);
  const int64_t rows = checked_lstm_packed_rows(node.place(), a[1]);
  return {
      .hidden_size = size_t(a[1]),
      .w = node.packed_matrix("W", {.data = 3, .codebook = 4, .scale = 5, .bias = 9},
                              {.rows = rows, .cols = a[0], .bits = a[2], .layout = a[3]}),
      .r = node.packed_matrix("R", {.data = 6, .codebook = 7, .scale = 8},
                              {.rows = rows, .cols = a[1], .bits = a[4], .layout = a[5]}),
  };
}

// input_size, hidden_size, projection_size, w_bits, w_layout, r_bits, r_layout, p_bits, p_layout
PackedLstm read_projected(const Node& node) {
  node.expect_ports(13, 3);
  const auto a = node.attributes(9);
  const int64_t rows = checked_lstm_packed_rows(node.place(), a[1]);
  return {
      .hidden_size = size_t(a[1]),
      .w = node.packed_matrix("W", {.data = 3, .codebook = 4, .scale = 5, .bias = 12},
                              {.rows = rows, .cols = a[0], .bits = a[3], .layout = a[4]}),
      .r = node.packed_matrix("R", {.data = 6, .codebook = 7, .scale = 8},
                              {.rows = rows, .cols = a[2], .bits = a[5], .layout = a[6]}),
      .p = node.packed_matrix("P", {.data = 9, .codebook = 10, .scale = 11},
                              {.rows = a[2], .cols = a[1], .bits = a[7], .layout = a[8]}),
  };
}

class PackedLstmOp : public Op {
 public:
  PackedLstmOp(const Node& node, const PackedLstm& layer) : layer_(layer) {
    if (!layer_.w.bias) fail(node.place(), "a bias", "none");
    const auto f32 = TensorType::kFloat32;
    const int64_t hidden_size = int64_t(layer_.hidden_size), output_size = int64_t(layer_.output_size());
    x_ = node.computed_input(0, "x", f32, {-1, int64_t(layer_.w.cols)});
    h_ = node.computed_input(1, "h", f32, {1, output_size});
    c_ = node.computed_input(2, "c", f32, {1, hidden_size});
    num_frames_ = size_t(x_.shape.dims[0]);
    y_ = node.output(0, "y", f32, {x_.shape.dims[0], output_size});
    h_next_ = node.output(1, "h", f32, {1, output_size});
    c_next_ = node.output(2, "c", f32, {1, hidden_size});
  }

  void run(const TensorMemory& memory, std::byte* scratch, Workers* workers) const override {
    const LstmBatch batch{.num_streams = memory.num_streams(), .num_frames = num_frames_};
    float* h = memory.write_floats(h_next_.tensor);
    float* c = memory.write_floats(c_next_.tensor);
    std::memcpy(h, memory.read(h_.tensor), batch.num_streams * layer_.output_size() * sizeof(float));
    std::memcpy(c, memory.read(c_.tensor), batch.num_streams * layer_.hidden_size * sizeof(float));
    lstm(layer_, FloatView(memory.read(x_.tensor)), batch, h, c, memory.write_floats(y_.tensor), scratch,
         workers);
  }
  uint64_t scratch_bytes() const override { return lstm_scratch_bytes(layer_, num_frames_); }
  int64_t work() const override {
    const auto weights = [](const PackedMatrix& w) {
      return int64_t(w.padded_rows()) * int64_t(w.padded_cols());
    };
    const int64_t projected = layer_.p ? weights(*layer_.p) : 0;
    return int64_t(num_frames_) * (weights(layer_.w) + weights(layer_.r) + projected);
  }

 private:
  PackedLstm layer_;
  Operand x_, h_, c_, y_, h_next_, c_next_;
  size_t num_frames_;
};

}  // namespace

std::unique_ptr<Op> make_packed_lstm(const Node& node) {
  return std::make_unique<PackedLstmOp>(node, read_plain(node));
}

std::unique_ptr<Op> make_packed_lstmp(const Node& node) {
  return std::make_unique<PackedLstmOp>(node, read_projected(node));
}

}  // namespace whit
