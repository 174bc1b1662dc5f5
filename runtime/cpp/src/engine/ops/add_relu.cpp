#include "engine/ops/ops.h"
#include "whit/elementwise.h"

namespace whit {
namespace {

class AddRelu : public StreamOp {
 public:
  explicit AddRelu(const Node& node) {
    node.expect_ports(2, 1);
    node.attributes(0);
    a_ = node.input(0, "a", TensorType::kFloat32, {-1, -1});
    b_ = node.input(1, "b", TensorType::kFloat32, {1, a_.shape.dims[1]});
    if (node.input_tensor(1).constant) node.constant(1, "b", TensorType::kFloat32, 2);
    y_ = node.output(0, "y", TensorType::kFloat32, {a_.shape.dims[0], a_.shape.dims[1]});
  }

  void run_stream(const TensorMemory& memory) const override {
    add_relu(FloatView(memory.read(a_.tensor)), FloatView(memory.read(b_.tensor)), size_t(a_.shape.dims[0]),
             size_t(a_.shape.dims[1]), memory.write_floats(y_.tensor));
  }
  int64_t work() const override { return a_.shape.count(); }

 private:
  Operand a_, b_, y_;
};

}  // namespace

std::unique_ptr<Op> make_add_relu(const Node& node) { return std::make_unique<AddRelu>(node); }

}  // namespace whit
