#include <cstring>

#include "op.h"
#include "packed_weights.h"
#include "whit/aligned_buffer.h"
#include "whit/fail.h"
#include "whit/lstm.h"
#include "whit/packed_view.h"

namespace whit::litert {
namespace {

// Options: input_size, hidden_size, w_bits, w_layout, r_bits, r_layout.
PackedLstm read_plain(const OpNode& node, TfLiteContext* context) {
  node.expect_counts(10, 3, 6);
  const int64_t hidden_size = node.option(1);
  const int64_t rows = checked_lstm_packed_rows(node.op(), hidden_size);
  return {
      .hidden_size = size_t(hidden_size),
      .w = read_packed_matrix(node, context, "W", {.data = 3, .codebook = 4, .scale = 5, .bias = 9},
                              {rows, node.option(0), node.option(2), node.option(3)}),
      .r = read_packed_matrix(node, context, "R", {.data = 6, .codebook = 7, .scale = 8},
                              {rows, hidden_size, node.option(4), node.option(5)}),
  };
}

// Options: input_size, hidden_size, projection_size, w_bits, w_layout, r_bits, r_layout, p_bits, p_layout.
PackedLstm read_projected(const OpNode& node, TfLiteContext* context) {
  node.expect_counts(13, 3, 9);
  const int64_t hidden_size = node.option(1), projection_size = node.option(2);
  const int64_t rows = checked_lstm_packed_rows(node.op(), hidden_size);
  return {
      .hidden_size = size_t(hidden_size),
      .w = read_packed_matrix(node, context, "W", {.data = 3, .codebook = 4, .scale = 5, .bias = 12},
                              {rows, node.option(0), node.option(3), node.option(4)}),
      .r = read_packed_matrix(node, context, "R", {.data = 6, .codebook = 7, .scale = 8},
                              {rows, projection_size, node.option(5), node.option(6)}),
      .p = read_packed_matrix(node, context, "P", {.data = 9, .codebook = 10, .scale = 11},
                              {projection_size, hidden_size, node.option(7), node.option(8)}),
  };
}

template <PackedLstm (*kRead)(const OpNode&, TfLiteContext*)>
class PackedLstmOp final : public Op {
 public:
  explicit PackedLstmOp(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    layer_ = kRead(node_, context);
    if (!layer_.w.bias) fail(node_.op(), "bias", "none");
    const int64_t hidden_size = int64_t(layer_.hidden_size), output_size = int64_t(layer_.output_size());
    num_frames_ = node_.input_shape(context, 0, "x", kFloat, {-1, int64_t(layer_.w.cols)})[0];
    scratch_.emplace(lstm_scratch_bytes(layer_, size_t(num_frames_)));
    node_.resize_output(context, 0, "y", {num_frames_, output_size});
    node_.resize_output(context, 1, "h_next", {1, output_size});
    node_.resize_output(context, 2, "c_next", {1, hidden_size});
  }

  void run(TfLiteContext* context) const override {
    const int64_t hidden_size = int64_t(layer_.hidden_size), output_size = int64_t(layer_.output_size());
    const Tensor x = node_.input(context, 0, "x", kFloat, {num_frames_, int64_t(layer_.w.cols)});
    const Tensor h = node_.input(context, 1, "h", kFloat, {1, output_size});
    const Tensor c = node_.input(context, 2, "c", kFloat, {1, hidden_size});
    float* y = node_.output(context, 0, "y", {num_frames_, output_size});
    float* h_next = node_.output(context, 1, "h_next", {1, output_size});
    float* c_next = node_.output(context, 2, "c_next", {1, hidden_size});
    std::memmove(h_next, h.data, layer_.output_size() * sizeof(float));
    std::memmove(c_next, c.data, layer_.hidden_size * sizeof(float));
    lstm(layer_, FloatView(x.data), size_t(num_frames_), h_next, c_next, y, scratch_->data());
  }

 private:
  OpNode node_;
  PackedLstm layer_ = {};
  int64_t num_frames_ = 0;
  std::optional<AlignedBuffer> scratch_;
};

}  // namespace

constinit const OpType kPackedLstm = {"whit.PackedLSTM", make_op<PackedLstmOp<read_plain>>};
constinit const OpType kPackedLstmp = {"whit.PackedLSTMP", make_op<PackedLstmOp<read_projected>>};

}  // namespace whit::litert
