#include "custom_op.h"
#include "ops.h"
#include "whit/elementwise.h"

namespace whit::ort {
namespace {

class AddRelu {
 public:
  static constexpr const char* kName = "AddRelu";
  static constexpr Port kInputs[] = {{kFloat}, {kFloat}};
  static constexpr Port kOutputs[] = {{kFloat}};

  explicit AddRelu(const Node&) {}

  void compute(const Call& call) const {
    const Tensor a = call.input(0, "a", kFloat, {-1, -1});
    const Tensor b = call.input(1, "b", kFloat, {1, a.shape[1]});
    float* y = call.output(0, "y", a.shape);
    add_relu(FloatView(a.data), FloatView(b.data), size_t(a.shape[0]), size_t(a.shape[1]), y);
  }
};

}  // namespace

constinit const OrtCustomOp kAddRelu = make_custom_op<AddRelu>();

}  // namespace whit::ort
