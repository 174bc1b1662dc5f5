#include "op.h"
#include "whit/aligned_buffer.h"
#include "whit/depthwise_conv.h"
#include "whit/fail.h"

namespace whit::litert {
namespace {

class DepthwiseConv final : public Op {
 public:
  explicit DepthwiseConv(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(4, 2, 0);
    const auto x = node_.input_shape(context, 0, "x", kFloat, {-1, -1});
    const auto weight = node_.input_shape(context, 2, "weight", kFloat, {-1, x[1]});
    if (weight[0] < 1) fail(node_.op(), "at least one row of weight", "none");
    shape_ = {.num_frames = size_t(x[0]), .kernel_size = size_t(weight[0]), .channels = size_t(x[1])};
    scratch_.emplace(depthwise_conv_scratch_bytes(shape_));
    node_.resize_output(context, 0, "y", x);
    node_.resize_output(context, 1, "cache", {weight[0] - 1, x[1]});
  }

  void run(TfLiteContext* context) const override {
    const int64_t channels = int64_t(shape_.channels), kernel_size = int64_t(shape_.kernel_size);
    const Tensor x = node_.input(context, 0, "x", kFloat, {int64_t(shape_.num_frames), channels});
    const Tensor cache = node_.input(context, 1, "cache", kFloat, {kernel_size - 1, channels});
    const Tensor weight = node_.input(context, 2, "weight", kFloat, {kernel_size, channels});
    const Tensor bias = node_.input(context, 3, "bias", kFloat, {channels});
    float* y = node_.output(context, 0, "y", x.shape);
    float* cache_next = node_.output(context, 1, "cache", cache.shape);
    depthwise_conv(shape_, FloatView(x.data), FloatView(cache.data), FloatView(weight.data),
                   FloatView(bias.data), y, cache_next, scratch_->data());
  }

 private:
  OpNode node_;
  DepthwiseConvShape shape_ = {};
  std::optional<AlignedBuffer> scratch_;
};

}  // namespace

constinit const OpType kDepthwiseConv = {"whit.DepthwiseConv1d", make_op<DepthwiseConv>};

}  // namespace whit::litert
