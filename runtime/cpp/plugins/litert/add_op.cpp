#include "op.h"
#include "whit/elementwise.h"

namespace whit::litert {
namespace {

class Add final : public Op {
 public:
  explicit Add(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(2, 1, 1);
    node_.resize_output(context, 0, "y", node_.input_shape(context, 0, "a", kFloat, {-1, -1}));
  }

  void run(TfLiteContext* context) const override {
    const Tensor a = node_.input(context, 0, "a", kFloat, {-1, -1});
    const Tensor b = node_.input(context, 1, "b", kFloat, a.shape);
    float* y = node_.output(context, 0, "y", a.shape);
    add(FloatView(a.data), FloatView(b.data), node_.float_option(0), a.count(), y);
  }

 private:
  OpNode node_;
};

}  // namespace

constinit const OpType kAdd = {"whit.Add", make_op<Add>};

}  // namespace whit::litert
