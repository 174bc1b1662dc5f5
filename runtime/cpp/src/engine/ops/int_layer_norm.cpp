#include "whit/int_layer_norm.h"

#include "engine/ops/ops.h"
#include "whit/fail.h"
#include "whit/valid_rows.h"

namespace whit {
namespace {

class IntLayerNormOp : public StreamOp {
 public:
  explicit IntLayerNormOp(const Node& node) {
    node.expect_ports(5, 1);
    const std::vector<int32_t> attributes = node.attributes(4);
    y_bits_ = attributes[3];
    x_ = node.computed_input(0, "x", TensorType::kInt16, {-1, -1});
    length_ = node.computed_input(1, "length", TensorType::kInt32, {1});
    const size_t num_cols = size_t(x_.shape.dims[1]);
    multiplier_ = node.constant_vector<int32_t>(2, "multiplier", TensorType::kInt32, num_cols);
    shift_ = node.constant_vector<int32_t>(3, "shift", TensorType::kInt32, num_cols);
    bias_ = node.constant_vector<int32_t>(4, "bias", TensorType::kInt32, num_cols);
    norm_ = {.num_cols = num_cols,
             .multiplier = multiplier_.data(),
             .shift = shift_.data(),
             .bias = bias_.data(),
             .epsilon = attributes[0],
             .low = attributes[1],
             .high = attributes[2]};
    check_int_layer_norm(node.place(), norm_, y_bits_);
    y_ = node.output(0, "y", y_bits_ == 8 ? TensorType::kInt8 : TensorType::kInt16,
                     {x_.shape.dims[0], x_.shape.dims[1]});
  }

  void run_stream(const TensorMemory& memory) const override {
    const size_t rows = valid_rows(*memory.read_as<int32_t>(length_.tensor), size_t(x_.shape.dims[0]));
    const int16_t* x = memory.read_as<int16_t>(x_.tensor);
    if (y_bits_ == 8) {
      int_layer_norm(norm_, x, rows, memory.write_as<int8_t>(y_.tensor));
    } else {
      int_layer_norm(norm_, x, rows, memory.write_as<int16_t>(y_.tensor));
    }
  }
  int64_t work() const override { return 4 * x_.shape.count(); }

 private:
  Operand x_, length_, y_;
  std::vector<int32_t> multiplier_, shift_, bias_;  // (num_cols,) each
  IntLayerNorm norm_;
  int32_t y_bits_;
};

}  // namespace

std::unique_ptr<Op> make_int_layer_norm(const Node& node) { return std::make_unique<IntLayerNormOp>(node); }

}  // namespace whit
