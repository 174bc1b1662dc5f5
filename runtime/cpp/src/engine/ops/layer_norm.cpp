#include "whit/layer_norm.h"

#include "engine/ops/ops.h"

namespace whit {
namespace {

class LayerNorm : public StreamOp {
 public:
  explicit LayerNorm(const Node& node) {
    node.expect_ports(3, 1);
    epsilon_ = node.float_attributes(1)[0];
    x_ = node.computed_input(0, "x", TensorType::kFloat32, {-1, -1});
    const int64_t num_cols = x_.shape.dims[1];
    gain_ = node.input(1, "gain", TensorType::kFloat32, {num_cols});
    bias_ = node.input(2, "bias", TensorType::kFloat32, {num_cols});
    node.constant(1, "gain", TensorType::kFloat32, 1);
    node.constant(2, "bias", TensorType::kFloat32, 1);
    y_ = node.output(0, "y", TensorType::kFloat32, {x_.shape.dims[0], num_cols});
  }

  void run_stream(const TensorMemory& memory) const override {
    layer_norm(FloatView(memory.read(x_.tensor)), FloatView(memory.read(gain_.tensor)),
               FloatView(memory.read(bias_.tensor)), epsilon_, size_t(x_.shape.dims[0]),
               size_t(x_.shape.dims[1]), memory.write_floats(y_.tensor));
  }
  int64_t work() const override { return 3 * x_.shape.count(); }

 private:
  Operand x_, gain_, bias_, y_;
  float epsilon_;
};

}  // namespace

std::unique_ptr<Op> make_layer_norm(const Node& node) { return std::make_unique<LayerNorm>(node); }

}  // namespace whit
