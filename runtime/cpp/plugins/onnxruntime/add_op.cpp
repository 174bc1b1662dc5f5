#include "custom_op.h"
#include "ops.h"
#include "whit/elementwise.h"

namespace whit::ort {
namespace {

class Add {
 public:
  static constexpr const char* kName = "Add";
  static constexpr Port kInputs[] = {{kFloat}, {kFloat}};
  static constexpr Port kOutputs[] = {{kFloat}};

  explicit Add(const Node& node) : scale_(node.float_attribute("scale")) {}

  void compute(const Call& call) const {
    const Tensor a = call.input(0, "a", kFloat, {-1, -1});
    const Tensor b = call.input(1, "b", kFloat, a.shape);
    float* y = call.output(0, "y", a.shape);
    add(FloatView(a.data), FloatView(b.data), scale_, a.count(), y);
  }

 private:
  float scale_;
};

}  // namespace

constinit const OrtCustomOp kAdd = make_custom_op<Add>();

}  // namespace whit::ort
