#include "custom_op.h"
#include "int_io.h"
#include "ops.h"
#include "whit/feature_quantization.h"

namespace whit::ort {
namespace {

class QuantizeFeatures {
 public:
  static constexpr const char* kName = "QuantizeFeatures";
  static constexpr Port kInputs[] = {{kFloat}, {kInt32}};
  static constexpr Port kOutputs[] = {{kInt8}};

  explicit QuantizeFeatures(const Node& node)
      : quantization_(checked_feature_quantization(kName, node.float_attribute("inverse_scale"),
                                                   node.int_attribute("low"), node.int_attribute("high"))) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0, "x", kFloat, {-1, -1});
    const size_t rows = utterance_rows(call, 1, x.shape[0]);
    quantize_features(quantization_, FloatView(x.data), rows * size_t(x.shape[1]),
                      call.output<int8_t>(0, "y", x.shape));
  }

 private:
  FeatureQuantization quantization_;
};

}  // namespace

constinit const OrtCustomOp kQuantizeFeatures = make_custom_op<QuantizeFeatures>();

}  // namespace whit::ort
