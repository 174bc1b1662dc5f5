#include "custom_op.h"
#include "int_io.h"
#include "ops.h"
#include "whit/int_layer_norm.h"

namespace whit::ort {
namespace {

class IntLayerNormOp {
 public:
  static constexpr const char* kName = "IntLayerNorm";
  static constexpr Port kInputs[] = {{kInt16}, {kInt32}, {kInt32}, {kInt32}, {kInt32}};
  static constexpr Port kOutputs[] = {{kAnyType, kOptional}};

  explicit IntLayerNormOp(const Node& node) : y_bits_(node.int32_attribute("y_bits")) {
    const size_t num_cols = node.required_vector(2, "multiplier", kInt32).count();
    multiplier_ = node.constant_vector<int32_t>(2, "multiplier", kInt32, num_cols);
    shift_ = node.constant_vector<int32_t>(3, "shift", kInt32, num_cols);
    bias_ = node.constant_vector<int32_t>(4, "bias", kInt32, num_cols);
    norm_ = {.num_cols = num_cols,
             .multiplier = multiplier_.data(),
             .shift = shift_.data(),
             .bias = bias_.data(),
             .epsilon = node.int32_attribute("epsilon"),
             .low = node.int32_attribute("low"),
             .high = node.int32_attribute("high")};
    check_int_layer_norm(kName, norm_, y_bits_);
  }

  void compute(const Call& call) const {
    const Tensor x = call.input(0, "x", kInt16, {-1, int64_t(norm_.num_cols)});
    const size_t rows = utterance_rows(call, 1, x.shape[0]);
    const int16_t* values = int16_values(kName, x);
    if (y_bits_ == 8) {
      int_layer_norm(norm_, values, rows, call.output<int8_t>(0, "y", x.shape));
    } else {
      int_layer_norm(norm_, values, rows, call.output<int16_t>(0, "y", x.shape));
    }
  }

 private:
  std::vector<int32_t> multiplier_, shift_, bias_;  // (num_cols,) each
  IntLayerNorm norm_ = {};
  int32_t y_bits_;
};

}  // namespace

constinit const OrtCustomOp kIntLayerNorm = make_custom_op<IntLayerNormOp>();

}  // namespace whit::ort
