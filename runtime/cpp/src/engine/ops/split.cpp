#include <cstring>
#include <vector>

#include "engine/axis_blocks.h"
#include "engine/ops/ops.h"
#include "whit/fail.h"

namespace whit {
namespace {

constexpr uint8_t kSplitOptions = 35;

class Split : public StreamOp {
 public:
  explicit Split(const Node& node) {
    node.expect_ports(2, node.num_outputs());
    const auto axis_value = node.constant_ints(0, "axis");
    if (axis_value.size() != 1) fail(node.place(), "one axis", text(axis_value.size()));
    const TfliteTensor& x = node.input_tensor(1);
    x_ = node.any_input(1);
    const int axis = node.axis(axis_value[0], x.shape.rank);
    const auto num_splits = node.option<int32_t>(kSplitOptions, 0, 0, "SplitOptions.num_splits");
    if (num_splits < 1 || size_t(num_splits) != node.num_outputs()) {
      fail(node.place(), text(num_splits, " outputs"), text(node.num_outputs()));
    }
    for (size_t i = 0; i < node.num_outputs(); ++i) {
      const TfliteTensor& y = node.output_tensor(i);
      if (y.type != x.type || !same_but_axis(x.shape, y.shape, axis) ||
          y.shape.dims[size_t(axis)] * num_splits != x.shape.dims[size_t(axis)]) {
        fail(node.place(), text(num_splits, " equal parts of ", x.shape.text()), y.shape.text());
      }
      outputs_.push_back(node.any_output(i).tensor);
    }
    const AxisBlocks blocks(x.shape, axis, x.type);
    num_outer_ = blocks.num_outer;
    part_bytes_ = blocks.block_bytes / size_t(num_splits);
  }

  void run_stream(const TensorMemory& memory) const override {
    const std::byte* from = memory.read(x_.tensor);
    for (size_t outer = 0; outer < num_outer_; ++outer) {
      for (const size_t output : outputs_) {
        std::memcpy(memory.write(output) + outer * part_bytes_, from, part_bytes_);
        from += part_bytes_;
      }
    }
  }
  int64_t work() const override { return x_.shape.count(); }

 private:
  Operand x_;
  std::vector<size_t> outputs_;
  size_t num_outer_;
  size_t part_bytes_;
};

}  // namespace

std::unique_ptr<Op> make_split(const Node& node) { return std::make_unique<Split>(node); }

}  // namespace whit
