#include "conv_outputs.h"
#include "int_io.h"
#include "op.h"
#include "packed_weights.h"
#include "whit/aligned_buffer.h"
#include "whit/int_conv.h"

namespace whit::litert {
namespace {

class IntConv1d final : public Op {
 public:
  explicit IntConv1d(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(8, 2, 12);
    const PackedMatrix w = read_packed_matrix(node_, context, "", {.data = 2, .codebook = 3},
                                              {node_.option(0), node_.option(1), node_.option(2), 0});
    const auto x = node_.input_shape(context, 0, "x", kInt8, {-1, -1});
    conv_ = checked_int_conv(node_.op(), w,
                             {.kernel_size = node_.option(3),
                              .stride = node_.option(4),
                              .dilation = node_.option(5),
                              .padding = node_.option(6)},
                             x[0], x[1], node_.option(7),
                             read_conv_outputs(node_, context, w,
                                               {.zero = node_.option(8),
                                                .low = node_.option(9),
                                                .high = node_.option(10),
                                                .bits = node_.option(11)}));
    check_length(node_, context, 1);
    if (node_.has_input(7)) node_.input_shape(context, 7, "addend", kInt16, out_shape());
    kernel_ = &select_matmul_kernel(w.layout, w.bits);
    scratch_.emplace(int_conv_scratch_bytes(*kernel_, *conv_));
    node_.resize_output(context, 0, "y", out_shape(), conv_->outputs.bits == 8 ? kInt8 : kInt16);
    node_.resize_output(context, 1, "length", {1}, kInt32);
  }

  void run(TfLiteContext* context) const override {
    const Tensor x =
        node_.input(context, 0, "x", kInt8, {int64_t(conv_->num_rows), int64_t(conv_->channels)});
    const size_t rows = utterance_rows(node_, context, 1, x.shape[0]);
    const int16_t* addend = nullptr;
    if (node_.has_input(7)) {
      addend = int16_values(node_, node_.input(context, 7, "addend", kInt16, out_shape()));
    }
    void* y = conv_->outputs.bits == 8
                  ? static_cast<void*>(node_.output<int8_t>(context, 0, "y", out_shape()))
                  : node_.output<int16_t>(context, 0, "y", out_shape());
    const auto frames = int_conv(*kernel_, *conv_, static_cast<const int8_t*>(x.data), int32_t(rows), addend,
                                 y, scratch_->data());
    write_count(node_, context, 1, "length", size_t(frames));
  }

 private:
  std::vector<int64_t> out_shape() const {
    return {int64_t(conv_->geometry.out_rows(conv_->num_rows)), int64_t(conv_->w.rows)};
  }

  OpNode node_;
  std::optional<IntConv> conv_;
  const MatmulKernel* kernel_ = nullptr;
  std::optional<AlignedBuffer> scratch_;
};

}  // namespace

constinit const OpType kIntConv = {"whit.IntConv1d", make_op<IntConv1d>};

}  // namespace whit::litert
