#include "whit/depthwise_conv.h"

#include "engine/ops/ops.h"

namespace whit {
namespace {

class DepthwiseConv : public Op {
 public:
  explicit DepthwiseConv(const Node& node) {
    node.expect_ports(4, 2);
    node.attributes(0);
    x_ = node.computed_input(0, "x", TensorType::kFloat32, {-1, -1});
    const int64_t channels = x_.shape.dims[1];
    weight_ = node.input(2, "weight", TensorType::kFloat32, {-1, channels});
    const int64_t history = weight_.shape.dims[0] - 1;
    cache_ = node.computed_input(1, "cache", TensorType::kFloat32, {history, channels});
    bias_ = node.input(3, "bias", TensorType::kFloat32, {channels});
    node.constant(2, "weight", TensorType::kFloat32, 2);
    node.constant(3, "bias", TensorType::kFloat32, 1);
    y_ = node.output(0, "y", TensorType::kFloat32, {x_.shape.dims[0], channels});
    cache_next_ = node.output(1, "cache", TensorType::kFloat32, {history, channels});
    shape_ = {.num_frames = size_t(x_.shape.dims[0]),
              .kernel_size = size_t(weight_.shape.dims[0]),
              .channels = size_t(channels)};
  }

  void run(const TensorMemory& streams, std::byte* scratch, Workers*) const override {
    for (size_t i = 0; i < streams.num_streams(); ++i) {
      const TensorMemory memory = streams.stream(i);
      depthwise_conv(shape_, FloatView(memory.read(x_.tensor)), FloatView(memory.read(cache_.tensor)),
                     FloatView(memory.read(weight_.tensor)), FloatView(memory.read(bias_.tensor)),
                     memory.write_floats(y_.tensor), memory.write_floats(cache_next_.tensor), scratch);
    }
  }
  uint64_t scratch_bytes() const override { return depthwise_conv_scratch_bytes(shape_); }
  int64_t work() const override { return x_.shape.count() * int64_t(shape_.kernel_size); }

 private:
  Operand x_, cache_, weight_, bias_, y_, cache_next_;
  DepthwiseConvShape shape_;
};

}  // namespace

std::unique_ptr<Op> make_depthwise_conv(const Node& node) { return std::make_unique<DepthwiseConv>(node); }

}  // namespace whit
