#include "engine/ops/ops.h"
#include "whit/elementwise.h"

namespace whit {
namespace {

class Swish : public StreamOp {
 public:
  explicit Swish(const Node& node) {
    node.expect_ports(1, 1);
    node.attributes(0);
    x_ = node.computed_input(0, "x", TensorType::kFloat32, {-1, -1});
    y_ = node.output(0, "y", TensorType::kFloat32, {x_.shape.dims[0], x_.shape.dims[1]});
  }

  void run_stream(const TensorMemory& memory) const override {
    swish(FloatView(memory.read(x_.tensor)), size_t(x_.shape.count()), memory.write_floats(y_.tensor));
  }
  int64_t work() const override { return x_.shape.count(); }

 private:
  Operand x_, y_;
};

}  // namespace

std::unique_ptr<Op> make_swish(const Node& node) { return std::make_unique<Swish>(node); }

}  // namespace whit
