#include "engine/ops/ops.h"
#include "whit/int_table.h"
#include "whit/valid_rows.h"

namespace whit {
namespace {

class IntGlu : public StreamOp {
 public:
  explicit IntGlu(const Node& node) {
    node.expect_ports(3, 1);
    const std::vector<int32_t> attributes = node.attributes(4);
    output_ = {
        .multiplier = attributes[0], .shift = attributes[1], .low = attributes[2], .high = attributes[3]};
    check_int_output(node.place(), output_);
    y_ = node.output(0, "y", TensorType::kInt8, {-1, -1});
    x_ = node.computed_input(0, "x", TensorType::kInt8, {y_.shape.dims[0], 2 * y_.shape.dims[1]});
    length_ = node.computed_input(1, "length", TensorType::kInt32, {1});
    table_ = node.constant_vector<int16_t>(2, "table", TensorType::kInt16, 256);
  }

  void run_stream(const TensorMemory& memory) const override {
    const size_t rows = valid_rows(*memory.read_as<int32_t>(length_.tensor), size_t(y_.shape.dims[0]));
    int_glu(memory.read_as<int8_t>(x_.tensor), table_.data(), rows, size_t(y_.shape.dims[1]), output_,
            memory.write_as<int8_t>(y_.tensor));
  }
  int64_t work() const override { return x_.shape.count(); }

 private:
  Operand x_, length_, y_;
  std::vector<int16_t> table_;  // (256,)
  IntOutput output_;
};

}  // namespace

std::unique_ptr<Op> make_int_glu(const Node& node) { return std::make_unique<IntGlu>(node); }

}  // namespace whit
