#include <bit>

#include "engine/ops/ops.h"
#include "whit/feature_quantization.h"
#include "whit/valid_rows.h"

namespace whit {
namespace {

class QuantizeFeatures : public StreamOp {
 public:
  explicit QuantizeFeatures(const Node& node) {
    node.expect_ports(2, 1);
    const auto attributes = node.attributes(3);  // inverse_scale, low, high
    quantization_ = checked_feature_quantization(node.place(), std::bit_cast<float>(attributes[0]),
                                                 attributes[1], attributes[2]);
    x_ = node.computed_input(0, "x", TensorType::kFloat32, {-1, -1});
    length_ = node.computed_input(1, "length", TensorType::kInt32, {1});
    y_ = node.output(0, "y", TensorType::kInt8, {x_.shape.dims[0], x_.shape.dims[1]});
  }

  void run_stream(const TensorMemory& memory) const override {
    const size_t rows = valid_rows(*memory.read_as<int32_t>(length_.tensor), size_t(x_.shape.dims[0]));
    quantize_features(quantization_, FloatView(memory.read(x_.tensor)), rows * size_t(x_.shape.dims[1]),
                      memory.write_as<int8_t>(y_.tensor));
  }
  int64_t work() const override { return x_.shape.count(); }

 private:
  FeatureQuantization quantization_;
  Operand x_, length_, y_;
};

}  // namespace

std::unique_ptr<Op> make_quantize_features(const Node& node) {
  return std::make_unique<QuantizeFeatures>(node);
}

}  // namespace whit
