#include "conv_outputs.h"
#include "int_io.h"
#include "op.h"
#include "packed_weights.h"
#include "whit/int_depthwise_conv.h"

namespace whit::litert {
namespace {

class IntDepthwiseConv1d final : public Op {
 public:
  explicit IntDepthwiseConv1d(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(7, 2, 10);
    const PackedMatrix w = read_packed_matrix(node_, context, "", {.data = 2, .codebook = 3},
                                              {node_.option(0), node_.option(1), node_.option(2), 0});
    const auto x = node_.input_shape(context, 0, "x", kInt8, {-1, -1});
    conv_ = checked_int_depthwise_conv(
        node_.op(), w,
        {.kernel_size = node_.option(1),
         .stride = node_.option(3),
         .dilation = node_.option(4),
         .padding = node_.option(5)},
        x[0], x[1], node_.option(6),
        read_conv_outputs(node_, context, w,
                          {.zero = node_.option(7), .low = node_.option(8), .high = node_.option(9)}));
    check_length(node_, context, 1);
    node_.resize_output(context, 0, "y", out_shape(), kInt8);
    node_.resize_output(context, 1, "length", {1}, kInt32);
  }

  void run(TfLiteContext* context) const override {
    const Tensor x =
        node_.input(context, 0, "x", kInt8, {int64_t(conv_->num_rows), int64_t(conv_->channels())});
    const size_t rows = utterance_rows(node_, context, 1, x.shape[0]);
    int8_t* y = node_.output<int8_t>(context, 0, "y", out_shape());
    const auto frames = int_depthwise_conv(*conv_, static_cast<const int8_t*>(x.data), int32_t(rows), y);
    write_count(node_, context, 1, "length", size_t(frames));
  }

 private:
  std::vector<int64_t> out_shape() const {
    return {int64_t(conv_->geometry.out_rows(conv_->num_rows)), int64_t(conv_->w.rows)};
  }

  OpNode node_;
  std::optional<IntDepthwiseConv> conv_;
};

}  // namespace

constinit const OpType kIntDepthwiseConv = {"whit.IntDepthwiseConv1d", make_op<IntDepthwiseConv1d>};

}  // namespace whit::litert
