#include "engine/ops/ops.h"
#include "whit/fail.h"
#include "whit/int_unfold.h"
#include "whit/valid_rows.h"

namespace whit {
namespace {

class DistanceRows : public StreamOp {
 public:
  explicit DistanceRows(const Node& node) {
    node.expect_ports(2, 2);
    node.attributes(0);
    const Operand table = node.input(0, "table", TensorType::kInt8, {-1, -1});
    const auto content = node.constant(0, "table", TensorType::kInt8, 2);
    const int64_t num_rows = table.shape.dims[0];
    if (!content) fail(node.place(), "a table", "none");
    if (num_rows % 2 == 0) fail(node.place(), "a table of 2 T - 1 rows", text(num_rows));
    table_ = reinterpret_cast<const int8_t*>(content->data());
    num_frames_ = size_t(num_rows + 1) / 2;
    width_ = size_t(table.shape.dims[1]);
    length_ = node.computed_input(1, "length", TensorType::kInt32, {1});
    y_ = node.output(0, "y", TensorType::kInt8, {num_rows, table.shape.dims[1]});
    rows_out_ = node.output(1, "rows", TensorType::kInt32, {1});
  }

  void run_stream(const TensorMemory& memory) const override {
    const size_t rows = valid_rows(*memory.read_as<int32_t>(length_.tensor), num_frames_);
    distance_rows(table_, num_frames_, width_, rows, memory.write_as<int8_t>(y_.tensor));
    *memory.write_as<int32_t>(rows_out_.tensor) = int32_t(num_distance_rows(rows));
  }
  int64_t work() const override { return y_.shape.count(); }

 private:
  Operand length_, y_, rows_out_;
  const int8_t* table_;  // (2 num_frames_ - 1, width_), in the file
  size_t num_frames_;
  size_t width_;
};

}  // namespace

std::unique_ptr<Op> make_distance_rows(const Node& node) { return std::make_unique<DistanceRows>(node); }

}  // namespace whit
