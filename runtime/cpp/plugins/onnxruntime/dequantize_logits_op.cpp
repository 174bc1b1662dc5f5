#include "custom_op.h"
#include "int_io.h"
#include "ops.h"
#include "whit/feature_quantization.h"

namespace whit::ort {
namespace {

class DequantizeLogits {
 public:
  static constexpr const char* kName = "DequantizeLogits";
  static constexpr Port kInputs[] = {{kInt16}, {kInt32}};
  static constexpr Port kOutputs[] = {{kFloat}};

  explicit DequantizeLogits(const Node& node) : scale_(node.float_attribute("scale")) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0, "x", kInt16, {-1, -1});
    const size_t rows = utterance_rows(call, 1, x.shape[0]);
    dequantize_logits(int16_values(kName, x), scale_, rows * size_t(x.shape[1]), x.count(),
                      call.output(0, "y", x.shape));
  }

 private:
  float scale_;
};

}  // namespace

constinit const OrtCustomOp kDequantizeLogits = make_custom_op<DequantizeLogits>();

}  // namespace whit::ort
