#include <cstring>

#include "engine/ops/ops.h"
#include "whit/fail.h"

namespace whit {
namespace {

constexpr uint8_t kSubOptions = 28;

// Wraps around, as int32 does in every runtime; unsigned, where C++ defines it.
uint32_t load(const std::byte* values, size_t i) {
  uint32_t value;
  std::memcpy(&value, values + i * sizeof(value), sizeof(value));
  return value;
}

class Sub : public StreamOp {
 public:
  explicit Sub(const Node& node) : a_(node.any_input(0)), b_(node.any_input(1)), y_(node.any_output(0)) {
    node.expect_ports(2, 1);
    node.expect_no_activation(kSubOptions, 0);
    const TfliteTensor* tensors[] = {&node.input_tensor(0), &node.input_tensor(1), &node.output_tensor(0)};
    for (const TfliteTensor* tensor : tensors) {
      const bool one = tensor != tensors[2] && tensor->shape.count() == 1;  // one value serves all
      if (tensor->type == TensorType::kInt32 && (one || tensor->shape == y_.shape)) continue;
      fail(node.place(), text("int32 ", y_.shape.text(), " or one value"),
           text(type_name(tensor->type), " ", tensor->shape.text()));
    }
    a_step_ = a_.shape.count() == 1 ? 0 : 1;
    b_step_ = b_.shape.count() == 1 ? 0 : 1;
  }

  void run_stream(const TensorMemory& memory) const override {
    const std::byte* a = memory.read(a_.tensor);
    const std::byte* b = memory.read(b_.tensor);
    std::byte* y = memory.write(y_.tensor);
    const size_t count = size_t(y_.shape.count());
    for (size_t i = 0; i < count; ++i) {
      const uint32_t value = load(a, i * a_step_) - load(b, i * b_step_);
      std::memcpy(y + i * sizeof(value), &value, sizeof(value));
    }
  }
  int64_t work() const override { return y_.shape.count(); }

 private:
  Operand a_, b_, y_;
  size_t a_step_;
  size_t b_step_;
};

}  // namespace

std::unique_ptr<Op> make_sub(const Node& node) { return std::make_unique<Sub>(node); }

}  // namespace whit
