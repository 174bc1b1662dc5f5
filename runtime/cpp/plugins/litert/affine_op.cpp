#include "op.h"
#include "whit/elementwise.h"

namespace whit::litert {
namespace {

class Affine final : public Op {
 public:
  explicit Affine(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(3, 1, 0);
    node_.resize_output(context, 0, "y", node_.input_shape(context, 0, "x", kFloat, {-1, -1}));
  }

  void run(TfLiteContext* context) const override {
    const Tensor x = node_.input(context, 0, "x", kFloat, {-1, -1});
    const int64_t num_cols = x.shape[1];
    const Tensor scale = node_.input(context, 1, "scale", kFloat, {num_cols});
    const Tensor offset = node_.input(context, 2, "offset", kFloat, {num_cols});
    float* y = node_.output(context, 0, "y", x.shape);
    affine(FloatView(x.data), FloatView(scale.data), FloatView(offset.data), size_t(x.shape[0]),
           size_t(num_cols), y);
  }

 private:
  OpNode node_;
};

}  // namespace

constinit const OpType kAffine = {"whit.Affine", make_op<Affine>};

}  // namespace whit::litert
