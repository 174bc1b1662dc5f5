#include "custom_op.h"
#include "ops.h"
#include "whit/elementwise.h"
#include "whit/fail.h"

namespace whit::ort {
namespace {

class Glu {
 public:
  static constexpr const char* kName = "Glu";
  static constexpr Port kInputs[] = {{kFloat}};
  static constexpr Port kOutputs[] = {{kFloat}};

  explicit Glu(const Node&) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0, "x", kFloat, {-1, -1});
    if (x.shape[1] % 2) fail(kName, "x of an even width", x.shape_text());
    const int64_t num_cols = x.shape[1] / 2;
    float* y = call.output(0, "y", {x.shape[0], num_cols});
    glu(FloatView(x.data), size_t(x.shape[0]), size_t(num_cols), y);
  }
};

}  // namespace

constinit const OrtCustomOp kGlu = make_custom_op<Glu>();

}  // namespace whit::ort
