#include "int_io.h"
#include "op.h"
#include "whit/aligned_buffer.h"
#include "whit/int_relative_attention.h"

namespace whit::litert {
namespace {

class IntRelativeAttention final : public Op {
 public:
  explicit IntRelativeAttention(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(6, 1, 9);
    constants_ = {.content_multiplier = node_.option(1),
                  .content_shift = node_.option(2),
                  .position_multiplier = node_.option(3),
                  .position_shift = node_.option(4),
                  .result = {.multiplier = node_.option(5),
                             .shift = node_.option(6),
                             .low = node_.option(7),
                             .high = node_.option(8)}};
    const auto qu = node_.input_shape(context, 0, "qu", kInt8, {-1, -1});
    const auto positions = node_.input_shape(context, 4, "p", kInt8, {-1, qu[1]});
    check_length(node_, context, 5);
    shape_ = checked_int_attention(node_.op(), qu[0], qu[1], positions[0], node_.option(0), constants_);
    scratch_.emplace(int_relative_attention_scratch_bytes(shape_));
    node_.resize_output(context, 0, "y", qu, kInt8);
  }

  void run(TfLiteContext* context) const override {
    const std::vector<int64_t> rows = {int64_t(shape_.num_frames), int64_t(shape_.width)};
    const auto values = [&](size_t index, const char* name, const std::vector<int64_t>& shape) {
      return static_cast<const int8_t*>(node_.input(context, index, name, kInt8, shape).data);
    };
    int8_t* y = node_.output<int8_t>(context, 0, "y", rows);
    int_relative_attention(shape_, constants_,
                           {.qu = values(0, "qu", rows),
                            .qw = values(1, "qw", rows),
                            .k = values(2, "k", rows),
                            .v = values(3, "v", rows),
                            .positions = values(4, "p", {int64_t(shape_.num_positions()), rows[1]})},
                           utterance_rows(node_, context, 5, rows[0]), y, scratch_->data(), nullptr);
  }

 private:
  OpNode node_;
  IntAttentionConstants constants_ = {};
  IntAttentionShape shape_ = {};
  std::optional<AlignedBuffer> scratch_;
};

}  // namespace

constinit const OpType kIntRelativeAttention = {"whit.IntRelativeAttention", make_op<IntRelativeAttention>};

}  // namespace whit::litert
