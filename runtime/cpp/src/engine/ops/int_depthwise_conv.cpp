#include "whit/int_depthwise_conv.h"

#include "engine/ops/conv_outputs.h"
#include "engine/ops/ops.h"

namespace whit {
namespace {

class IntDepthwiseConv1d : public Op {
 public:
  explicit IntDepthwiseConv1d(const Node& node) : conv_(read(node)) {
    x_ = node.computed_input(0, "x", TensorType::kInt8, {-1, -1});
    length_ = node.computed_input(1, "length", TensorType::kInt32, {1});
    y_ = node.output(0, "y", TensorType::kInt8,
                     {int64_t(conv_.geometry.out_rows(conv_.num_rows)), x_.shape.dims[1]});
    length_out_ = node.output(1, "length", TensorType::kInt32, {1});
  }

  void run(const TensorMemory& streams, std::byte*, Workers* workers) const override {
    for (size_t i = 0; i < streams.num_streams(); ++i) {
      const TensorMemory memory = streams.stream(i);
      const size_t rows = int_depthwise_conv(conv_, memory.read_as<int8_t>(x_.tensor),
                                             *memory.read_as<int32_t>(length_.tensor),
                                             memory.write_as<int8_t>(y_.tensor), workers);
      *memory.write_as<int32_t>(length_out_.tensor) = int32_t(rows);
    }
  }
  int64_t work() const override { return int_depthwise_conv_work(conv_); }

 private:
  static IntDepthwiseConv read(const Node& node) {
    node.expect_ports(7, 2);
    const auto a = node.attributes(10);  // rows, cols, bits, stride, dilation, padding, zeros, low, high
    const PackedMatrix w = node.packed_matrix("", {.data = 2, .codebook = 3},
                                              {.rows = a[0], .cols = a[1], .bits = a[2], .layout = 0});
    const Operand x = node.input(0, "x", TensorType::kInt8, {-1, -1});
    return checked_int_depthwise_conv(
        node.place(), w, {.kernel_size = a[1], .stride = a[3], .dilation = a[4], .padding = a[5]},
        x.shape.dims[0], x.shape.dims[1], a[6],
        read_conv_outputs(node, w, {.zero = a[7], .low = a[8], .high = a[9]}));
  }

  IntDepthwiseConv conv_;
  Operand x_, length_, y_, length_out_;
};

}  // namespace

std::unique_ptr<Op> make_int_depthwise_conv(const Node& node) {
  return std::make_unique<IntDepthwiseConv1d>(node);
}

}  // namespace whit
