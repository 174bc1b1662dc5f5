#include "custom_op.h"
#include "int_io.h"
#include "ops.h"
#include "whit/aligned_buffer.h"
#include "whit/int_relative_attention.h"

namespace whit::ort {
namespace {

class IntRelativeAttention {
 public:
  static constexpr const char* kName = "IntRelativeAttention";
  static constexpr Port kInputs[] = {{kInt8}, {kInt8}, {kInt8}, {kInt8}, {kInt8}, {kInt32}};
  static constexpr Port kOutputs[] = {{kInt8}};

  explicit IntRelativeAttention(const Node& node)
      : heads_(node.int_attribute("heads")),
        constants_{.content_multiplier = node.int32_attribute("content_multiplier"),
                   .content_shift = node.int32_attribute("content_shift"),
                   .position_multiplier = node.int32_attribute("position_multiplier"),
                   .position_shift = node.int32_attribute("position_shift"),
                   .result = {.multiplier = node.int32_attribute("result_multiplier"),
                              .shift = node.int32_attribute("result_shift"),
                              .low = node.int32_attribute("low"),
                              .high = node.int32_attribute("high")}} {}

  void compute(const Call& call) const {
    const Tensor qu = call.input(0, "qu", kInt8, {-1, -1});
    const Tensor qw = call.input(1, "qw", kInt8, qu.shape);
    const Tensor k = call.input(2, "k", kInt8, qu.shape);
    const Tensor v = call.input(3, "v", kInt8, qu.shape);
    const Tensor positions = call.input(4, "p", kInt8, {-1, qu.shape[1]});
    const IntAttentionShape shape =
        checked_int_attention(kName, qu.shape[0], qu.shape[1], positions.shape[0], heads_, constants_);
    const size_t rows = utterance_rows(call, 5, qu.shape[0]);
    int8_t* y = call.output<int8_t>(0, "y", qu.shape);
    const AlignedBuffer scratch(int_relative_attention_scratch_bytes(shape));
    const auto values = [](const Tensor& tensor) { return static_cast<const int8_t*>(tensor.data); };
    int_relative_attention(
        shape, constants_,
        {.qu = values(qu), .qw = values(qw), .k = values(k), .v = values(v), .positions = values(positions)},
        rows, y, scratch.data(), nullptr);
  }

 private:
  int64_t heads_;
  IntAttentionConstants constants_;
};

}  // namespace

constinit const OrtCustomOp kIntRelativeAttention = make_custom_op<IntRelativeAttention>();

}  // namespace whit::ort
