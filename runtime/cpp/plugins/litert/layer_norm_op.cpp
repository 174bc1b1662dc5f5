#include "op.h"
#include "whit/layer_norm.h"

namespace whit::litert {
namespace {

class LayerNorm final : public Op {
 public:
  explicit LayerNorm(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(3, 1, 1);
    node_.resize_output(context, 0, "y", node_.input_shape(context, 0, "x", kFloat, {-1, -1}));
  }

  void run(TfLiteContext* context) const override {
    const Tensor x = node_.input(context, 0, "x", kFloat, {-1, -1});
    const int64_t num_cols = x.shape[1];
    const Tensor gain = node_.input(context, 1, "gain", kFloat, {num_cols});
    const Tensor bias = node_.input(context, 2, "bias", kFloat, {num_cols});
    float* y = node_.output(context, 0, "y", x.shape);
    layer_norm(FloatView(x.data), FloatView(gain.data), FloatView(bias.data), node_.float_option(0),
               size_t(x.shape[0]), size_t(num_cols), y);
  }

 private:
  OpNode node_;
};

}  // namespace

constinit const OpType kLayerNorm = {"whit.LayerNorm", make_op<LayerNorm>};

}  // namespace whit::litert
