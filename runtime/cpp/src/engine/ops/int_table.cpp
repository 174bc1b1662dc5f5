#include "whit/int_table.h"

#include "engine/ops/ops.h"
#include "whit/valid_rows.h"

namespace whit {
namespace {

class IntTable : public StreamOp {
 public:
  explicit IntTable(const Node& node) {
    node.expect_ports(3, 1);
    node.attributes(0);
    x_ = node.computed_input(0, "x", TensorType::kInt8, {-1, -1});
    length_ = node.computed_input(1, "length", TensorType::kInt32, {1});
    table_ = node.constant_vector<int8_t>(2, "table", TensorType::kInt8, 256);
    y_ = node.output(0, "y", TensorType::kInt8, {x_.shape.dims[0], x_.shape.dims[1]});
  }

  void run_stream(const TensorMemory& memory) const override {
    const size_t rows = valid_rows(*memory.read_as<int32_t>(length_.tensor), size_t(x_.shape.dims[0]));
    int_table(memory.read_as<int8_t>(x_.tensor), table_.data(), rows * size_t(x_.shape.dims[1]),
              memory.write_as<int8_t>(y_.tensor));
  }
  int64_t work() const override { return x_.shape.count(); }

 private:
  Operand x_, length_, y_;
  std::vector<int8_t> table_;  // (256,)
};

}  // namespace

std::unique_ptr<Op> make_int_table(const Node& node) { return std::make_unique<IntTable>(node); }

}  // namespace whit
