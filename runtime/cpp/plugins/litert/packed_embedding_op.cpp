#include "op.h"
#include "packed_weights.h"
#include "whit/embedding.h"
#include "whit/fail.h"

namespace whit::litert {
namespace {

class PackedEmbedding final : public Op {
 public:
  explicit PackedEmbedding(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(4, 1, 4);
    table_ = read_packed_matrix(node_, context, "", {.data = 1, .codebook = 2, .scale = 3},
                                {node_.option(0), node_.option(1), node_.option(2), node_.option(3)});
    if (table_.layout != Layout::kE) fail(node_.op(), "layout 0 (E)", "1 (P)");
    const int64_t num_tokens = node_.input_shape(context, 0, "token", kInt32, {-1})[0];
    node_.resize_output(context, 0, "y", {num_tokens, int64_t(table_.cols)});
  }

  void run(TfLiteContext* context) const override {
    const Tensor token = node_.input(context, 0, "token", kInt32, {-1});
    float* y = node_.output(context, 0, "y", {token.shape[0], int64_t(table_.cols)});
    embedding(table_, token.data, size_t(token.shape[0]), y);
  }

 private:
  OpNode node_;
  PackedMatrix table_ = {};
};

}  // namespace

constinit const OpType kPackedEmbedding = {"whit.PackedEmbedding", make_op<PackedEmbedding>};

}  // namespace whit::litert
