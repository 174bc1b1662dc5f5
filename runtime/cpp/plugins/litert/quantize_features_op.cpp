#include "int_io.h"
#include "op.h"
#include "whit/feature_quantization.h"

namespace whit::litert {
namespace {

class QuantizeFeatures final : public Op {
 public:
  explicit QuantizeFeatures(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(2, 1, 3);
    quantization_ =
        checked_feature_quantization(node_.op(), node_.float_option(0), node_.option(1), node_.option(2));
    shape_ = node_.input_shape(context, 0, "x", kFloat, {-1, -1});
    check_length(node_, context, 1);
    node_.resize_output(context, 0, "y", shape_, kInt8);
  }

  void run(TfLiteContext* context) const override {
    const Tensor x = node_.input(context, 0, "x", kFloat, shape_);
    const size_t rows = utterance_rows(node_, context, 1, shape_[0]);
    quantize_features(quantization_, FloatView(x.data), rows * size_t(shape_[1]),
                      node_.output<int8_t>(context, 0, "y", shape_));
  }

 private:
  OpNode node_;
  FeatureQuantization quantization_ = {};
  std::vector<int64_t> shape_;
};

}  // namespace

constinit const OpType kQuantizeFeatures = {"whit.QuantizeFeatures", make_op<QuantizeFeatures>};

}  // namespace whit::litert
