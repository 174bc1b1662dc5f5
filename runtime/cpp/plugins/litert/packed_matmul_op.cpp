#include "op.h"
#include "packed_weights.h"
#include "whit/aligned_buffer.h"
#include "whit/matmul.h"

namespace whit::litert {
namespace {

class PackedMatMul final : public Op {
 public:
  explicit PackedMatMul(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(5, 1, 4);
    w_ = read_packed_matrix(node_, context, "", {.data = 1, .codebook = 2, .scale = 3, .bias = 4},
                            {node_.option(0), node_.option(1), node_.option(2), node_.option(3)});
    num_lhs_ = node_.input_shape(context, 0, "x", kFloat, {-1, int64_t(w_.cols)})[0];
    scratch_.emplace(matmul_scratch_bytes(w_, size_t(num_lhs_)));
    node_.resize_output(context, 0, "y", {num_lhs_, int64_t(w_.rows)});
  }

  void run(TfLiteContext* context) const override {
    const Tensor x = node_.input(context, 0, "x", kFloat, {num_lhs_, int64_t(w_.cols)});
    float* y = node_.output(context, 0, "y", {num_lhs_, int64_t(w_.rows)});
    matmul(w_, FloatView(x.data), size_t(num_lhs_), y, scratch_->data());
  }

 private:
  OpNode node_;
  PackedMatrix w_ = {};
  int64_t num_lhs_ = 0;
  std::optional<AlignedBuffer> scratch_;
};

}  // namespace

constinit const OpType kPackedMatMul = {"whit.PackedMatMul", make_op<PackedMatMul>};

}  // namespace whit::litert
