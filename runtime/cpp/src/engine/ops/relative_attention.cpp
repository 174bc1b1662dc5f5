#include "whit/relative_attention.h"

#include "engine/ops/ops.h"

namespace whit {
namespace {

class RelativeAttention : public Op {
 public:
  explicit RelativeAttention(const Node& node) {
    const auto f32 = TensorType::kFloat32;
    node.expect_ports(7, 2);
    q_ = node.computed_input(0, "q", f32, {-1, -1});
    const int64_t num_frames = q_.shape.dims[0], width = q_.shape.dims[1];
    k_ = node.computed_input(1, "k", f32, {num_frames, width});
    v_ = node.computed_input(2, "v", f32, {num_frames, width});
    cache_ = node.computed_input(3, "cache", f32, {-1, -1});
    positions_ = node.input(4, "p", f32, {-1, width});
    content_bias_ = node.input(5, "u", f32, {width});
    position_bias_ = node.input(6, "w", f32, {width});
    node.constant(5, "u", f32, 1);
    node.constant(6, "w", f32, 1);
    const int64_t left = cache_.shape.dims[0], cache_width = cache_.shape.dims[1];
    shape_ = checked_attention_shape(node.place(), num_frames, left, width, cache_width,
                                     positions_.shape.dims[0], node.attributes(1)[0]);
    y_ = node.output(0, "y", f32, {num_frames, width});
    cache_next_ = node.output(1, "cache", f32, {left, cache_width});
  }

  void run(const TensorMemory& streams, std::byte* scratch, Workers*) const override {
    for (size_t i = 0; i < streams.num_streams(); ++i) {
      const TensorMemory memory = streams.stream(i);
      const auto view = [&](const Operand& operand) { return FloatView(memory.read(operand.tensor)); };
      relative_attention(shape_,
                         {.q = view(q_),
                          .k = view(k_),
                          .v = view(v_),
                          .cache = view(cache_),
                          .positions = view(positions_),
                          .content_bias = view(content_bias_),
                          .position_bias = view(position_bias_)},
                         memory.write_floats(y_.tensor), memory.write_floats(cache_next_.tensor), scratch);
    }
  }
  uint64_t scratch_bytes() const override { return relative_attention_scratch_bytes(shape_); }
  int64_t work() const override {
    const auto keys = int64_t(shape_.num_keys()), frames = int64_t(shape_.num_frames);
    return int64_t(shape_.width) * (keys * (3 * frames + 4) + int64_t(shape_.num_positions()));
  }

 private:
  Operand q_, k_, v_, cache_, positions_, content_bias_, position_bias_, y_, cache_next_;
  AttentionShape shape_;
};

}  // namespace

std::unique_ptr<Op> make_relative_attention(const Node& node) {
  return std::make_unique<RelativeAttention>(node);
}

}  // namespace whit
