#include "whit/int_relative_attention.h"

#include "engine/ops/ops.h"
#include "whit/valid_rows.h"

namespace whit {
namespace {

class IntRelativeAttention : public Op {
 public:
  explicit IntRelativeAttention(const Node& node) {
    const auto i8 = TensorType::kInt8;
    node.expect_ports(6, 1);
    const std::vector<int32_t> attributes = node.attributes(9);
    constants_ = {.content_multiplier = attributes[1],
                  .content_shift = attributes[2],
                  .position_multiplier = attributes[3],
                  .position_shift = attributes[4],
                  .result = {.multiplier = attributes[5],
                             .shift = attributes[6],
                             .low = attributes[7],
                             .high = attributes[8]}};
    qu_ = node.computed_input(0, "qu", i8, {-1, -1});
    const int64_t num_frames = qu_.shape.dims[0], width = qu_.shape.dims[1];
    qw_ = node.computed_input(1, "qw", i8, {num_frames, width});
    k_ = node.computed_input(2, "k", i8, {num_frames, width});
    v_ = node.computed_input(3, "v", i8, {num_frames, width});
    positions_ = node.computed_input(4, "p", i8, {-1, width});
    length_ = node.computed_input(5, "length", TensorType::kInt32, {1});
    shape_ = checked_int_attention(node.place(), num_frames, width, positions_.shape.dims[0], attributes[0],
                                   constants_);
    y_ = node.output(0, "y", i8, {num_frames, width});
  }

  void run(const TensorMemory& streams, std::byte* scratch, Workers* workers) const override {
    for (size_t i = 0; i < streams.num_streams(); ++i) {
      const TensorMemory memory = streams.stream(i);
      const auto rows = [&](const Operand& operand) { return memory.read_as<int8_t>(operand.tensor); };
      int_relative_attention(
          shape_, constants_,
          {.qu = rows(qu_), .qw = rows(qw_), .k = rows(k_), .v = rows(v_), .positions = rows(positions_)},
          valid_rows(*memory.read_as<int32_t>(length_.tensor), shape_.num_frames),
          memory.write_as<int8_t>(y_.tensor), scratch, workers);
    }
  }
  uint64_t scratch_bytes() const override { return int_relative_attention_scratch_bytes(shape_); }
  int64_t work() const override {
    const auto frames = int64_t(shape_.num_frames);
    return int64_t(shape_.width) * frames * 3 * (frames + 1);
  }

 private:
  Operand qu_, qw_, k_, v_, positions_, length_, y_;
  IntAttentionConstants constants_;
  IntAttentionShape shape_;
};

}  // namespace

std::unique_ptr<Op> make_int_relative_attention(const Node& node) {
  return std::make_unique<IntRelativeAttention>(node);
}

}  // namespace whit
