#include "int_io.h"
#include "op.h"
#include "whit/feature_quantization.h"

namespace whit::litert {
namespace {

class DequantizeLogits final : public Op {
 public:
  explicit DequantizeLogits(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(2, 1, 1);
    shape_ = node_.input_shape(context, 0, "x", kInt16, {-1, -1});
    check_length(node_, context, 1);
    node_.resize_output(context, 0, "y", shape_);
  }

  void run(TfLiteContext* context) const override {
    const Tensor x = node_.input(context, 0, "x", kInt16, shape_);
    const size_t rows = utterance_rows(node_, context, 1, shape_[0]);
    dequantize_logits(int16_values(node_, x), node_.float_option(0), rows * size_t(shape_[1]), x.count(),
                      node_.output(context, 0, "y", shape_));
  }

 private:
  OpNode node_;
  std::vector<int64_t> shape_;
};

}  // namespace

constinit const OpType kDequantizeLogits = {"whit.DequantizeLogits", make_op<DequantizeLogits>};

}  // namespace whit::litert
