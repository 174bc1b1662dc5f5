#include "whit/int_conv.h"

#include <optional>

#include "engine/ops/conv_outputs.h"
#include "engine/ops/ops.h"

namespace whit {
namespace {

class IntConv1d : public Op {
 public:
  explicit IntConv1d(const Node& node)
      : conv_(read(node)), kernel_(select_matmul_kernel(conv_.w.layout, conv_.w.bits)) {
    x_ = node.computed_input(0, "x", TensorType::kInt8, {-1, -1});
    length_ = node.computed_input(1, "length", TensorType::kInt32, {1});
    const int64_t rows = int64_t(conv_.w.rows), out_rows = int64_t(conv_.geometry.out_rows(conv_.num_rows));
    if (node.has_input(7)) addend_ = node.computed_input(7, "addend", TensorType::kInt16, {out_rows, rows});
    const TensorType type = conv_.outputs.bits == 8 ? TensorType::kInt8 : TensorType::kInt16;
    y_ = node.output(0, "y", type, {out_rows, rows});
    length_out_ = node.output(1, "length", TensorType::kInt32, {1});
  }

  void run(const TensorMemory& streams, std::byte* scratch, Workers* workers) const override {
    for (size_t i = 0; i < streams.num_streams(); ++i) {
      const TensorMemory memory = streams.stream(i);
      const int16_t* addend = addend_ ? memory.read_as<int16_t>(addend_->tensor) : nullptr;
      const size_t rows = int_conv(kernel_, conv_, memory.read_as<int8_t>(x_.tensor),
                                   *memory.read_as<int32_t>(length_.tensor), addend, memory.write(y_.tensor),
                                   scratch, workers);
      *memory.write_as<int32_t>(length_out_.tensor) = int32_t(rows);
    }
  }
  uint64_t scratch_bytes() const override { return int_conv_scratch_bytes(kernel_, conv_); }
  int64_t work() const override { return int_conv_work(conv_); }

 private:
  static IntConv read(const Node& node) {
    node.expect_ports(8, 2);
    // rows, cols, bits, kernel_size, stride, dilation, padding, x_zero, y_zero, low, high, y_bits
    const auto a = node.attributes(12);
    const PackedMatrix w = node.packed_matrix("", {.data = 2, .codebook = 3},
                                              {.rows = a[0], .cols = a[1], .bits = a[2], .layout = 0});
    const Operand x = node.input(0, "x", TensorType::kInt8, {-1, -1});
    return checked_int_conv(
        node.place(), w, {.kernel_size = a[3], .stride = a[4], .dilation = a[5], .padding = a[6]},
        x.shape.dims[0], x.shape.dims[1], a[7],
        read_conv_outputs(node, w, {.zero = a[8], .low = a[9], .high = a[10], .bits = a[11]}));
  }

  IntConv conv_;
  const MatmulKernel& kernel_;
  Operand x_, length_, y_, length_out_;
  std::optional<Operand> addend_;
};

}  // namespace

std::unique_ptr<Op> make_int_conv(const Node& node) { return std::make_unique<IntConv1d>(node); }

}  // namespace whit
