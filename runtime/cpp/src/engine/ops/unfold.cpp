#include "whit/unfold.h"

#include "engine/ops/ops.h"

namespace whit {
namespace {

class Unfold : public StreamOp {
 public:
  explicit Unfold(const Node& node) {
    const auto f32 = TensorType::kFloat32;
    node.expect_ports(2, 2);
    x_ = node.computed_input(0, "x", f32, {-1, -1});
    const int64_t width = x_.shape.dims[1];
    shape_ = checked_unfold_shape(node.place(), x_.shape.dims[0], width, node.attributes(1)[0]);
    cache_ = node.computed_input(1, "cache", f32, {2, width});
    y_ = node.output(0, "y", f32, {int64_t(shape_.num_patches()), int64_t(shape_.patch_size())});
    cache_next_ = node.output(1, "cache", f32, {2, width});
  }

  void run_stream(const TensorMemory& memory) const override {
    unfold2d(shape_, FloatView(memory.read(x_.tensor)), FloatView(memory.read(cache_.tensor)),
             memory.write_floats(y_.tensor), memory.write_floats(cache_next_.tensor));
  }
  int64_t work() const override { return y_.shape.count(); }

 private:
  Operand x_, cache_, y_, cache_next_;
  UnfoldShape shape_;
};

}  // namespace

std::unique_ptr<Op> make_unfold(const Node& node) { return std::make_unique<Unfold>(node); }

}  // namespace whit
