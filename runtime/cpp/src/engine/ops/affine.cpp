#include "engine/ops/ops.h"
#include "whit/elementwise.h"
#include "whit/fail.h"

namespace whit {
namespace {

class Affine : public StreamOp {
 public:
  explicit Affine(const Node& node) {
    node.expect_ports(3, 1);
    node.attributes(0);
    x_ = node.input(0, "x", TensorType::kFloat32, {-1, -1});
    const int64_t num_cols = x_.shape.dims[1];
    scale_ = node.input(1, "scale", TensorType::kFloat32, {num_cols});
    offset_ = node.input(2, "offset", TensorType::kFloat32, {num_cols});
    node.constant(1, "scale", TensorType::kFloat32, 1);
    node.constant(2, "offset", TensorType::kFloat32, 1);
    y_ = node.output(0, "y", TensorType::kFloat32, {x_.shape.dims[0], num_cols});
  }

  void run_stream(const TensorMemory& memory) const override {
    affine(FloatView(memory.read(x_.tensor)), FloatView(memory.read(scale_.tensor)),
           FloatView(memory.read(offset_.tensor)), size_t(x_.shape.dims[0]), size_t(x_.shape.dims[1]),
           memory.write_floats(y_.tensor));
  }
  int64_t work() const override { return x_.shape.count(); }

 private:
  Operand x_, scale_, offset_, y_;
};

}  // namespace

std::unique_ptr<Op> make_affine(const Node& node) { return std::make_unique<Affine>(node); }

}  // namespace whit
