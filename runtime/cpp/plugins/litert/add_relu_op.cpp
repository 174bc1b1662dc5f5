#include "op.h"
#include "whit/elementwise.h"

namespace whit::litert {
namespace {

class AddRelu final : public Op {
 public:
  explicit AddRelu(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(2, 1, 0);
    node_.resize_output(context, 0, "y", node_.input_shape(context, 0, "a", kFloat, {-1, -1}));
  }

  void run(TfLiteContext* context) const override {
    const Tensor a = node_.input(context, 0, "a", kFloat, {-1, -1});
    const Tensor b = node_.input(context, 1, "b", kFloat, {1, a.shape[1]});
    float* y = node_.output(context, 0, "y", a.shape);
    add_relu(FloatView(a.data), FloatView(b.data), size_t(a.shape[0]), size_t(a.shape[1]), y);
  }

 private:
  OpNode node_;
};

}  // namespace

constinit const OpType kAddRelu = {"whit.AddRelu", make_op<AddRelu>};

}  // namespace whit::litert
