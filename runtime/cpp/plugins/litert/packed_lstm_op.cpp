#include <cstring>

#include "op.h"
#include "packed_weights.h"
#include "whit/aligned_buffer.h"
#include "whit/fail.h"
#include "whit/lstm.h"
#include "whit/packed_view.h"

namespace whit::litert {
namespace {

class PackedLstmOp final : public Op {
 public:
  explicit PackedLstmOp(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(10, 3, 6);
    const int64_t input_size = node_.option(0);
    const int64_t hidden_size = node_.option(1);
    const int64_t rows = checked_lstm_packed_rows(node_.op(), hidden_size);
    layer_ = {
        .hidden_size = size_t(hidden_size),
        .w = read_packed_matrix(node_, context, "W", {.data = 3, .codebook = 4, .scale = 5, .bias = 9},
                                {rows, input_size, node_.option(2), node_.option(3)}),
        .r = read_packed_matrix(node_, context, "R", {.data = 6, .codebook = 7, .scale = 8},
                                {rows, hidden_size, node_.option(4), node_.option(5)}),
    };
    if (!layer_.w.bias) fail(node_.op(), "bias", "none");
    num_frames_ = node_.input_shape(context, 0, "x", kFloat, {-1, input_size})[0];
    scratch_.emplace(lstm_scratch_bytes(layer_, size_t(num_frames_)));
    node_.resize_output(context, 0, "y", {num_frames_, hidden_size});
    node_.resize_output(context, 1, "h_next", {1, hidden_size});
    node_.resize_output(context, 2, "c_next", {1, hidden_size});
  }

  void run(TfLiteContext* context) const override {
    const int64_t hidden_size = int64_t(layer_.hidden_size);
    const Tensor x = node_.input(context, 0, "x", kFloat, {num_frames_, int64_t(layer_.w.cols)});
    const Tensor h = node_.input(context, 1, "h", kFloat, {1, hidden_size});
    const Tensor c = node_.input(context, 2, "c", kFloat, {1, hidden_size});
    float* y = node_.output(context, 0, "y", {num_frames_, hidden_size});
    float* h_next = node_.output(context, 1, "h_next", {1, hidden_size});
    float* c_next = node_.output(context, 2, "c_next", {1, hidden_size});
    std::memmove(h_next, h.data, layer_.hidden_size * sizeof(float));
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

constinit const OpType kPackedLstm = {"whit.PackedLSTM", make_op<PackedLstmOp>};

}  // namespace whit::litert
