#include "custom_op.h"
#include "ops.h"
#include "whit/aligned_buffer.h"
#include "whit/relative_attention.h"

namespace whit::ort {
namespace {

class RelativeAttention {
 public:
  static constexpr const char* kName = "RelativeAttention";
  static constexpr Port kInputs[] = {{kFloat}, {kFloat}, {kFloat}, {kFloat}, {kFloat}, {kFloat}, {kFloat}};
  static constexpr Port kOutputs[] = {{kFloat}, {kFloat}};

  explicit RelativeAttention(const Node& node) : heads_(node.int_attribute("heads")) {}

  void compute(const Call& call) const {
    const Tensor q = call.input(0, "q", kFloat, {-1, -1});
    const int64_t num_frames = q.shape[0], width = q.shape[1];
    const Tensor k = call.input(1, "k", kFloat, q.shape);
    const Tensor v = call.input(2, "v", kFloat, q.shape);
    const Tensor cache = call.input(3, "cache", kFloat, {-1, -1});
    const Tensor positions = call.input(4, "p", kFloat, {-1, width});
    const Tensor content_bias = call.input(5, "u", kFloat, {width});
    const Tensor position_bias = call.input(6, "w", kFloat, {width});
    const AttentionShape shape = checked_attention_shape(kName, num_frames, cache.shape[0], width,
                                                         cache.shape[1], positions.shape[0], heads_);
    float* y = call.output(0, "y", q.shape);
    float* cache_next = call.output(1, "cache", cache.shape);
    const AlignedBuffer scratch(relative_attention_scratch_bytes(shape));
    relative_attention(shape,
                       {.q = FloatView(q.data),
                        .k = FloatView(k.data),
                        .v = FloatView(v.data),
                        .cache = FloatView(cache.data),
                        .positions = FloatView(positions.data),
                        .content_bias = FloatView(content_bias.data),
                        .position_bias = FloatView(position_bias.data)},
                       y, cache_next, scratch.data());
  }

 private:
  int64_t heads_;
};

}  // namespace

constinit const OrtCustomOp kRelativeAttention = make_custom_op<RelativeAttention>();

}  // namespace whit::ort
