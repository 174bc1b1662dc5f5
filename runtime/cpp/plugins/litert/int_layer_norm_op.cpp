#include "int_io.h"
#include "op.h"
#include "whit/int_layer_norm.h"

namespace whit::litert {
namespace {

class IntLayerNormOp final : public Op {
 public:
  explicit IntLayerNormOp(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(5, 1, 4);
    const auto shape = node_.input_shape(context, 0, "x", kInt16, {-1, -1});
    const size_t num_cols = size_t(shape[1]);
    check_length(node_, context, 1);
    multiplier_ = node_.constant_vector<int32_t>(context, 2, "multiplier", num_cols);
    shift_ = node_.constant_vector<int32_t>(context, 3, "shift", num_cols);
    bias_ = node_.constant_vector<int32_t>(context, 4, "bias", num_cols);
    norm_ = {.num_cols = num_cols,
             .multiplier = multiplier_.data(),
             .shift = shift_.data(),
             .bias = bias_.data(),
             .epsilon = node_.option(0),
             .low = node_.option(1),
             .high = node_.option(2)};
    y_bits_ = node_.option(3);
    check_int_layer_norm(node_.op(), norm_, y_bits_);
    node_.resize_output(context, 0, "y", shape, y_bits_ == 8 ? kInt8 : kInt16);
  }

  void run(TfLiteContext* context) const override {
    const Tensor x = node_.input(context, 0, "x", kInt16, {-1, int64_t(norm_.num_cols)});
    const size_t rows = utterance_rows(node_, context, 1, x.shape[0]);
    const int16_t* values = int16_values(node_, x);
    if (y_bits_ == 8) {
      int_layer_norm(norm_, values, rows, node_.output<int8_t>(context, 0, "y", x.shape));
    } else {
      int_layer_norm(norm_, values, rows, node_.output<int16_t>(context, 0, "y", x.shape));
    }
  }

 private:
  OpNode node_;
  std::vector<int32_t> multiplier_, shift_, bias_;  // (num_cols,) each
  IntLayerNorm norm_ = {};
  int32_t y_bits_ = 8;
};

}  // namespace

constinit const OpType kIntLayerNorm = {"whit.IntLayerNorm", make_op<IntLayerNormOp>};

}  // namespace whit::litert
