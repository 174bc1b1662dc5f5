#include <cstring>

#include "engine/ops/ops.h"
#include "whit/fail.h"

namespace whit {
namespace {

constexpr uint8_t kReshapeOptions = 17;

class Reshape : public StreamOp {
 public:
  explicit Reshape(const Node& node) : x_(node.any_input(0)), y_(node.any_output(0)) {
    node.expect_ports(node.num_inputs() == 2 ? 2 : 1, 1);  // the new shape is an input, or an option
    const TfliteTensor& x = node.input_tensor(0);
    const TfliteTensor& y = node.output_tensor(0);
    if (x.type != y.type || x.num_bytes() != y.num_bytes()) {
      fail(node.place(), text(type_name(x.type), " of as many values as ", x.shape.text()),
           text(type_name(y.type), " ", y.shape.text()));
    }
    num_bytes_ = size_t(x.num_bytes());
    const bool as_input = node.num_inputs() == 2 && node.has_input(1);
    const auto wanted = as_input ? node.constant_ints(1, "shape")
                                 : node.option_ints(kReshapeOptions, 0, "ReshapeOptions.new_shape");
    bool same = int(wanted.size()) == y.shape.rank;
    for (size_t i = 0; same && i < wanted.size(); ++i) same = wanted[i] == -1 || wanted[i] == y.shape.dims[i];
    if (!same) fail(node.place(), "a shape that describes the output", y.shape.text());
  }

  void run_stream(const TensorMemory& memory) const override {
    std::memcpy(memory.write(y_.tensor), memory.read(x_.tensor), num_bytes_);
  }
  int64_t work() const override { return int64_t(num_bytes_); }

 private:
  Operand x_, y_;
  size_t num_bytes_;
};

}  // namespace

std::unique_ptr<Op> make_reshape(const Node& node) { return std::make_unique<Reshape>(node); }

}  // namespace whit
