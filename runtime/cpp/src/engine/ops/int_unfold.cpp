#include "whit/int_unfold.h"

#include "engine/ops/ops.h"
#include "whit/valid_rows.h"

namespace whit {
namespace {

class IntUnfold : public StreamOp {
 public:
  explicit IntUnfold(const Node& node) {
    node.expect_ports(2, 3);
    const std::vector<int32_t> attributes = node.attributes(2);
    x_ = node.computed_input(0, "x", TensorType::kInt8, {-1, -1});
    length_ = node.computed_input(1, "length", TensorType::kInt32, {1});
    shape_ = checked_int_unfold_shape(node.place(), x_.shape.dims[0], x_.shape.dims[1], attributes[0],
                                      attributes[1]);
    zero_ = int8_t(attributes[1]);
    y_ =
        node.output(0, "y", TensorType::kInt8, {int64_t(shape_.num_patches()), int64_t(shape_.patch_size())});
    rows_out_ = node.output(1, "rows", TensorType::kInt32, {1});
    length_out_ = node.output(2, "length", TensorType::kInt32, {1});
  }

  void run_stream(const TensorMemory& memory) const override {
    const size_t rows = valid_rows(*memory.read_as<int32_t>(length_.tensor), shape_.num_frames);
    int_unfold2d(shape_, memory.read_as<int8_t>(x_.tensor), rows, zero_, memory.write_as<int8_t>(y_.tensor));
    const size_t frames = (rows + 1) / 2;
    *memory.write_as<int32_t>(rows_out_.tensor) = int32_t(frames * shape_.frequencies_out());
    *memory.write_as<int32_t>(length_out_.tensor) = int32_t(frames);
  }
  int64_t work() const override { return y_.shape.count(); }

 private:
  Operand x_, length_, y_, rows_out_, length_out_;
  IntUnfoldShape shape_;
  int8_t zero_;
};

}  // namespace

std::unique_ptr<Op> make_int_unfold(const Node& node) { return std::make_unique<IntUnfold>(node); }

}  // namespace whit
