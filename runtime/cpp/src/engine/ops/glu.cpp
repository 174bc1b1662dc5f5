#include "engine/ops/ops.h"
#include "whit/elementwise.h"

namespace whit {
namespace {

class Glu : public StreamOp {
 public:
  explicit Glu(const Node& node) {
    node.expect_ports(1, 1);
    node.attributes(0);
    y_ = node.output(0, "y", TensorType::kFloat32, {-1, -1});
    x_ = node.computed_input(0, "x", TensorType::kFloat32, {y_.shape.dims[0], 2 * y_.shape.dims[1]});
  }

  void run_stream(const TensorMemory& memory) const override {
    glu(FloatView(memory.read(x_.tensor)), size_t(y_.shape.dims[0]), size_t(y_.shape.dims[1]),
        memory.write_floats(y_.tensor));
  }
  int64_t work() const override { return x_.shape.count(); }

 private:
  Operand x_, y_;
};

}  // namespace

std::unique_ptr<Op> make_glu(const Node& node) { return std::make_unique<Glu>(node); }

}  // namespace whit
