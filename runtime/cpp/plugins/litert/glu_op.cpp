#include "op.h"
#include "whit/elementwise.h"
#include "whit/fail.h"

namespace whit::litert {
namespace {

class Glu final : public Op {
 public:
  explicit Glu(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(1, 1, 0);
    const auto shape = node_.input_shape(context, 0, "x", kFloat, {-1, -1});
    if (shape[1] % 2) fail(node_.op(), "x of an even width", text(shape[1]));
    node_.resize_output(context, 0, "y", {shape[0], shape[1] / 2});
  }

  void run(TfLiteContext* context) const override {
    const Tensor x = node_.input(context, 0, "x", kFloat, {-1, -1});
    const int64_t num_cols = x.shape[1] / 2;
    float* y = node_.output(context, 0, "y", {x.shape[0], num_cols});
    glu(FloatView(x.data), size_t(x.shape[0]), size_t(num_cols), y);
  }

 private:
  OpNode node_;
};

}  // namespace

constinit const OpType kGlu = {"whit.Glu", make_op<Glu>};

}  // namespace whit::litert
