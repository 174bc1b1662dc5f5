#include "engine/ops/ops.h"
#include "whit/feature_quantization.h"
#include "whit/valid_rows.h"

namespace whit {
namespace {

class DequantizeLogits : public StreamOp {
 public:
  explicit DequantizeLogits(const Node& node) {
    node.expect_ports(2, 1);
    scale_ = node.float_attributes(1)[0];
    x_ = node.computed_input(0, "x", TensorType::kInt16, {-1, -1});
    length_ = node.computed_input(1, "length", TensorType::kInt32, {1});
    y_ = node.output(0, "y", TensorType::kFloat32, {x_.shape.dims[0], x_.shape.dims[1]});
  }

  void run_stream(const TensorMemory& memory) const override {
    const size_t rows = valid_rows(*memory.read_as<int32_t>(length_.tensor), size_t(x_.shape.dims[0]));
    dequantize_logits(memory.read_as<int16_t>(x_.tensor), scale_, rows * size_t(x_.shape.dims[1]),
                      size_t(x_.shape.count()), memory.write_floats(y_.tensor));
  }
  int64_t work() const override { return x_.shape.count(); }

 private:
  float scale_;
  Operand x_, length_, y_;
};

}  // namespace

std::unique_ptr<Op> make_dequantize_logits(const Node& node) {
  return std::make_unique<DequantizeLogits>(node);
}

}  // namespace whit
