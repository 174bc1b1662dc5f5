#include <optional>

#include "conv_outputs.h"
#include "custom_op.h"
#include "int_io.h"
#include "ops.h"
#include "packed_weights.h"
#include "whit/aligned_buffer.h"
#include "whit/int_conv.h"

namespace whit::ort {
namespace {

class IntConv1d {
 public:
  static constexpr const char* kName = "IntConv1d";
  static constexpr Port kInputs[] = {{kInt8},  {kInt32}, {kUint8}, {kInt8, kOptional},
                                     {kInt32}, {kInt32}, {kInt32}, {kInt16, kOptional}};
  static constexpr Port kOutputs[] = {{kAnyType, kOptional}, {kInt32}};

  explicit IntConv1d(const Node& node)
      : w_(read_packed_matrix(node, "", {.data = 2, .codebook = 3}, node.int_attribute("rows"),
                              node.int_attribute("cols"), node.int_attribute("bits"), "E")),
        attributes_{.kernel_size = node.int_attribute("kernel_size"),
                    .stride = node.int_attribute("stride"),
                    .dilation = node.int_attribute("dilation"),
                    .padding = node.int_attribute("padding")},
        x_zero_(node.int_attribute("x_zero")),
        outputs_(read_conv_outputs(node, w_, node.int32_attribute("y_bits"))) {}

  void compute(const Call& call) const {
    if (!w_.codebook) call.expect_absent(3, "codebook");
    const Tensor x = call.input(0, "x", kInt8, {-1, -1});
    const size_t rows = utterance_rows(call, 1, x.shape[0]);
    const IntConv conv = checked_int_conv(kName, w_, attributes_, x.shape[0], x.shape[1], x_zero_, outputs_);
    const std::vector<int64_t> y_shape = {int64_t(conv.geometry.out_rows(conv.num_rows)), int64_t(w_.rows)};
    const auto addend_input = call.optional_input(7, "addend", kInt16, y_shape);
    const int16_t* addend = addend_input ? int16_values(kName, *addend_input) : nullptr;
    void* y = conv.outputs.bits == 8 ? static_cast<void*>(call.output<int8_t>(0, "y", y_shape))
                                     : call.output<int16_t>(0, "y", y_shape);
    const MatmulKernel& kernel = select_matmul_kernel(w_.layout, w_.bits);
    const AlignedBuffer scratch(int_conv_scratch_bytes(kernel, conv));
    const size_t frames =
        int_conv(kernel, conv, static_cast<const int8_t*>(x.data), int32_t(rows), addend, y, scratch.data());
    write_count(call, 1, "length", frames);
  }

 private:
  PackedMatrix w_;
  ConvAttributes attributes_;
  int64_t x_zero_;
  ConvOutputs outputs_;
};

}  // namespace

constinit const OrtCustomOp kIntConv = make_custom_op<IntConv1d>();

}  // namespace whit::ort
