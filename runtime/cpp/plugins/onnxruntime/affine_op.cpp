#include "custom_op.h"
#include "ops.h"
#include "whit/elementwise.h"

namespace whit::ort {
namespace {

class Affine {
 public:
  static constexpr const char* kName = "Affine";
  static constexpr Port kInputs[] = {{kFloat}, {kFloat}, {kFloat}};
  static constexpr Port kOutputs[] = {{kFloat}};

  explicit Affine(const Node&) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0, "x", kFloat, {-1, -1});
    const int64_t num_cols = x.shape[1];
    const Tensor scale = call.input(1, "scale", kFloat, {num_cols});
    const Tensor offset = call.input(2, "offset", kFloat, {num_cols});
    float* y = call.output(0, "y", x.shape);
    affine(FloatView(x.data), FloatView(scale.data), FloatView(offset.data), size_t(x.shape[0]),
           size_t(num_cols), y);
  }
};

}  // namespace

constinit const OrtCustomOp kAffine = make_custom_op<Affine>();

}  // namespace whit::ort
