#include "custom_op.h"
#include "ops.h"
#include "whit/layer_norm.h"

namespace whit::ort {
namespace {

class LayerNorm {
 public:
  static constexpr const char* kName = "LayerNorm";
  static constexpr Port kInputs[] = {{kFloat}, {kFloat}, {kFloat}};
  static constexpr Port kOutputs[] = {{kFloat}};

  explicit LayerNorm(const Node& node) : epsilon_(node.float_attribute("epsilon")) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0, "x", kFloat, {-1, -1});
    const int64_t num_cols = x.shape[1];
    const Tensor gain = call.input(1, "gain", kFloat, {num_cols});
    const Tensor bias = call.input(2, "bias", kFloat, {num_cols});
    float* y = call.output(0, "y", x.shape);
    layer_norm(FloatView(x.data), FloatView(gain.data), FloatView(bias.data), epsilon_, size_t(x.shape[0]),
               size_t(num_cols), y);
  }

 private:
  float epsilon_;
};

}  // namespace

constinit const OrtCustomOp kLayerNorm = make_custom_op<LayerNorm>();

}  // namespace whit::ort
