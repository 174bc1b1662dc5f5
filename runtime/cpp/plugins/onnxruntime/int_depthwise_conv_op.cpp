#include "conv_outputs.h"
#include "custom_op.h"
#include "int_io.h"
#include "ops.h"
#include "packed_weights.h"
#include "whit/int_depthwise_conv.h"

namespace whit::ort {
namespace {

class IntDepthwiseConv1d {
 public:
  static constexpr const char* kName = "IntDepthwiseConv1d";
  static constexpr Port kInputs[] = {{kInt8},  {kInt32}, {kUint8}, {kInt8, kOptional},
                                     {kInt32}, {kInt32}, {kInt32}};
  static constexpr Port kOutputs[] = {{kInt8}, {kInt32}};

  explicit IntDepthwiseConv1d(const Node& node)
      : w_(read_packed_matrix(node, "", {.data = 2, .codebook = 3}, node.int_attribute("rows"),
                              node.int_attribute("cols"), node.int_attribute("bits"), "E")),
        attributes_{.kernel_size = node.int_attribute("cols"),
                    .stride = node.int_attribute("stride"),
                    .dilation = node.int_attribute("dilation"),
                    .padding = node.int_attribute("padding")},
        x_zero_(node.int_attribute("x_zero")),
        outputs_(read_conv_outputs(node, w_, 8)) {}

  void compute(const Call& call) const {
    if (!w_.codebook) call.expect_absent(3, "codebook");
    const Tensor x = call.input(0, "x", kInt8, {-1, -1});
    const size_t rows = utterance_rows(call, 1, x.shape[0]);
    const IntDepthwiseConv conv =
        checked_int_depthwise_conv(kName, w_, attributes_, x.shape[0], x.shape[1], x_zero_, outputs_);
    int8_t* y =
        call.output<int8_t>(0, "y", {int64_t(conv.geometry.out_rows(conv.num_rows)), int64_t(w_.rows)});
    const size_t frames = int_depthwise_conv(conv, static_cast<const int8_t*>(x.data), int32_t(rows), y);
    write_count(call, 1, "length", frames);
  }

 private:
  PackedMatrix w_;
  ConvAttributes attributes_;
  int64_t x_zero_;
  ConvOutputs outputs_;
};

}  // namespace

constinit const OrtCustomOp kIntDepthwiseConv = make_custom_op<IntDepthwiseConv1d>();

}  // namespace whit::ort
