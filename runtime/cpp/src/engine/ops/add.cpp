#include "engine/ops/ops.h"
#include "whit/elementwise.h"

namespace whit {
namespace {

class Add : public StreamOp {
 public:
  explicit Add(const Node& node) {
    node.expect_ports(2, 1);
    scale_ = node.float_attributes(1)[0];
    a_ = node.computed_input(0, "a", TensorType::kFloat32, {-1, -1});
    b_ = node.computed_input(1, "b", TensorType::kFloat32, {a_.shape.dims[0], a_.shape.dims[1]});
    y_ = node.output(0, "y", TensorType::kFloat32, {a_.shape.dims[0], a_.shape.dims[1]});
  }

  void run_stream(const TensorMemory& memory) const override {
    add(FloatView(memory.read(a_.tensor)), FloatView(memory.read(b_.tensor)), scale_,
        size_t(a_.shape.count()), memory.write_floats(y_.tensor));
  }
  int64_t work() const override { return a_.shape.count(); }

 private:
  Operand a_, b_, y_;
  float scale_;
};

}  // namespace

std::unique_ptr<Op> make_add(const Node& node) { return std::make_unique<Add>(node); }

}  // namespace whit
