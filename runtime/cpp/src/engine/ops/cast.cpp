#include <cstring>

#include "engine/ops/ops.h"
#include "whit/fail.h"

namespace whit {
namespace {

// Towards zero; what int32 cannot hold goes to its nearest end, NaN to 0 (C++ leaves both undefined).
int32_t to_int32(float value) {
  if (value != value) return 0;
  if (value >= 2147483648.0f) return INT32_MAX;
  if (value <= -2147483648.0f) return INT32_MIN;
  return int32_t(value);
}

class Cast : public StreamOp {
 public:
  explicit Cast(const Node& node) : x_(node.any_input(0)), y_(node.any_output(0)) {
    node.expect_ports(1, 1);
    const TfliteTensor& x = node.input_tensor(0);
    const TfliteTensor& y = node.output_tensor(0);
    const bool to_float = x.type == TensorType::kInt32 && y.type == TensorType::kFloat32;
    const bool to_int = x.type == TensorType::kFloat32 && y.type == TensorType::kInt32;
    if (!(to_float || to_int) || x.shape != y.shape) {
      fail(node.place(), "int32 to float32 or back, of one shape",
           text(type_name(x.type), " ", x.shape.text(), " to ", type_name(y.type), " ", y.shape.text()));
    }
    to_float_ = to_float;
  }

  void run_stream(const TensorMemory& memory) const override {
    const std::byte* from = memory.read(x_.tensor);
    std::byte* to = memory.write(y_.tensor);
    const size_t num_bytes = size_t(x_.shape.count()) * 4;
    for (size_t at = 0; at < num_bytes; at += 4) {
      int32_t integer;
      float real;
      if (to_float_) {
        std::memcpy(&integer, from + at, 4);
        real = float(integer);
        std::memcpy(to + at, &real, 4);
      } else {
        std::memcpy(&real, from + at, 4);
        integer = to_int32(real);
        std::memcpy(to + at, &integer, 4);
      }
    }
  }
  int64_t work() const override { return x_.shape.count(); }

 private:
  Operand x_, y_;
  bool to_float_;
};

}  // namespace

std::unique_ptr<Op> make_cast(const Node& node) { return std::make_unique<Cast>(node); }

}  // namespace whit
