#include "custom_op.h"
#include "ops.h"
#include "whit/elementwise.h"

namespace whit::ort {
namespace {

class Swish {
 public:
  static constexpr const char* kName = "Swish";
  static constexpr Port kInputs[] = {{kFloat}};
  static constexpr Port kOutputs[] = {{kFloat}};

  explicit Swish(const Node&) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0, "x", kFloat, {-1, -1});
    swish(FloatView(x.data), x.count(), call.output(0, "y", x.shape));
  }
};

}  // namespace

constinit const OrtCustomOp kSwish = make_custom_op<Swish>();

}  // namespace whit::ort
