#include "custom_op.h"
#include "ops.h"
#include "whit/aligned_buffer.h"
#include "whit/depthwise_conv.h"
#include "whit/fail.h"

namespace whit::ort {
namespace {

class DepthwiseConv {
 public:
  static constexpr const char* kName = "DepthwiseConv1d";
  static constexpr Port kInputs[] = {{kFloat}, {kFloat}, {kFloat}, {kFloat}};
  static constexpr Port kOutputs[] = {{kFloat}, {kFloat}};

  explicit DepthwiseConv(const Node&) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0, "x", kFloat, {-1, -1});
    const int64_t channels = x.shape[1];
    const Tensor weight = call.input(2, "weight", kFloat, {-1, channels});
    const int64_t history = weight.shape[0] - 1;
    if (history < 0) fail(kName, "at least one row of weight", "none");
    const Tensor cache = call.input(1, "cache", kFloat, {history, channels});
    const Tensor bias = call.input(3, "bias", kFloat, {channels});
    const DepthwiseConvShape shape{.num_frames = size_t(x.shape[0]),
                                   .kernel_size = size_t(weight.shape[0]),
                                   .channels = size_t(channels)};
    float* y = call.output(0, "y", x.shape);
    float* cache_next = call.output(1, "cache", cache.shape);
    const AlignedBuffer scratch(depthwise_conv_scratch_bytes(shape));
    depthwise_conv(shape, FloatView(x.data), FloatView(cache.data), FloatView(weight.data),
                   FloatView(bias.data), y, cache_next, scratch.data());
  }
};

}  // namespace

constinit const OrtCustomOp kDepthwiseConv = make_custom_op<DepthwiseConv>();

}  // namespace whit::ort
