#include "op.h"
#include "whit/elementwise.h"

namespace whit::litert {
namespace {

class Swish final : public Op {
 public:
  explicit Swish(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(1, 1, 0);
    node_.resize_output(context, 0, "y", node_.input_shape(context, 0, "x", kFloat, {-1, -1}));
  }

  void run(TfLiteContext* context) const override {
    const Tensor x = node_.input(context, 0, "x", kFloat, {-1, -1});
    swish(FloatView(x.data), x.count(), node_.output(context, 0, "y", x.shape));
  }

 private:
  OpNode node_;
};

}  // namespace

constinit const OpType kSwish = {"whit.Swish", make_op<Swish>};

}  // namespace whit::litert
