#include "op.h"
#include "whit/aligned_buffer.h"
#include "whit/relative_attention.h"

namespace whit::litert {
namespace {

class RelativeAttention final : public Op {
 public:
  explicit RelativeAttention(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(7, 2, 1);
    const auto q = node_.input_shape(context, 0, "q", kFloat, {-1, -1});
    const auto cache = node_.input_shape(context, 3, "cache", kFloat, {-1, -1});
    const auto positions = node_.input_shape(context, 4, "p", kFloat, {-1, q[1]});
    shape_ =
        checked_attention_shape(node_.op(), q[0], cache[0], q[1], cache[1], positions[0], node_.option(0));
    scratch_.emplace(relative_attention_scratch_bytes(shape_));
    node_.resize_output(context, 0, "y", q);
    node_.resize_output(context, 1, "cache", cache);
  }

  void run(TfLiteContext* context) const override {
    const int64_t width = int64_t(shape_.width), left = int64_t(shape_.left);
    const Tensor q = node_.input(context, 0, "q", kFloat, {int64_t(shape_.num_frames), width});
    const Tensor k = node_.input(context, 1, "k", kFloat, q.shape);
    const Tensor v = node_.input(context, 2, "v", kFloat, q.shape);
    const Tensor cache = node_.input(context, 3, "cache", kFloat, {left, int64_t(shape_.cache_width())});
    const Tensor positions = node_.input(context, 4, "p", kFloat, {int64_t(shape_.num_positions()), width});
    const Tensor content_bias = node_.input(context, 5, "u", kFloat, {width});
    const Tensor position_bias = node_.input(context, 6, "w", kFloat, {width});
    float* y = node_.output(context, 0, "y", q.shape);
    float* cache_next = node_.output(context, 1, "cache", cache.shape);
    relative_attention(shape_,
                       {.q = FloatView(q.data),
                        .k = FloatView(k.data),
                        .v = FloatView(v.data),
                        .cache = FloatView(cache.data),
                        .positions = FloatView(positions.data),
                        .content_bias = FloatView(content_bias.data),
                        .position_bias = FloatView(position_bias.data)},
                       y, cache_next, scratch_->data());
  }

 private:
  OpNode node_;
  AttentionShape shape_ = {};
  std::optional<AlignedBuffer> scratch_;
};

}  // namespace

constinit const OpType kRelativeAttention = {"whit.RelativeAttention", make_op<RelativeAttention>};

}  // namespace whit::litert
