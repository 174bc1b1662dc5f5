#include <cstring>
#include <vector>

#include "engine/axis_blocks.h"
#include "engine/ops/ops.h"
#include "whit/fail.h"

namespace whit {
namespace {

constexpr uint8_t kConcatenationOptions = 10;

class Concatenation : public StreamOp {
 public:
  explicit Concatenation(const Node& node) : y_(node.any_output(0)) {
    node.expect_ports(node.num_inputs(), 1);
    const TfliteTensor& y = node.output_tensor(0);
    const auto option = node.option<int32_t>(kConcatenationOptions, 0, 0, "ConcatenationOptions.axis");
    const int axis = node.axis(option, y.shape.rank);
    node.expect_no_activation(kConcatenationOptions, 1);
    int64_t length = 0;
    for (size_t i = 0; i < node.num_inputs(); ++i) {
      const TfliteTensor& x = node.input_tensor(i);
      if (x.type != y.type || !same_but_axis(x.shape, y.shape, axis)) {
        fail(node.place(), text("parts of ", type_name(y.type), " ", y.shape.text(), " along axis ", axis),
             text(type_name(x.type), " ", x.shape.text()));
      }
      length += x.shape.dims[size_t(axis)];
      const AxisBlocks blocks(x.shape, axis, x.type);
      num_outer_ = blocks.num_outer;
      parts_.push_back({.tensor = node.any_input(i).tensor, .block_bytes = blocks.block_bytes});
    }
    if (length != y.shape.dims[size_t(axis)]) {
      fail(node.place(), text("inputs that fill ", y.shape.text(), " along axis ", axis), text(length));
    }
  }

  void run_stream(const TensorMemory& memory) const override {
    std::byte* to = memory.write(y_.tensor);
    for (size_t outer = 0; outer < num_outer_; ++outer) {
      for (const Part& part : parts_) {
        std::memcpy(to, memory.read(part.tensor) + outer * part.block_bytes, part.block_bytes);
        to += part.block_bytes;
      }
    }
  }
  int64_t work() const override { return y_.shape.count(); }

 private:
  struct Part {
    size_t tensor;
    size_t block_bytes;
  };

  Operand y_;
  std::vector<Part> parts_;
  size_t num_outer_ = 1;
};

}  // namespace

std::unique_ptr<Op> make_concatenation(const Node& node) { return std::make_unique<Concatenation>(node); }

}  // namespace whit
