#include "op.h"
#include "whit/unfold.h"

namespace whit::litert {
namespace {

class Unfold final : public Op {
 public:
  explicit Unfold(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(2, 2, 1);
    const auto x = node_.input_shape(context, 0, "x", kFloat, {-1, -1});
    shape_ = checked_unfold_shape(node_.op(), x[0], x[1], node_.option(0));
    node_.resize_output(context, 0, "y", {int64_t(shape_.num_patches()), int64_t(shape_.patch_size())});
    node_.resize_output(context, 1, "cache", {2, x[1]});
  }

  void run(TfLiteContext* context) const override {
    const int64_t width = int64_t(shape_.width());
    const Tensor x = node_.input(context, 0, "x", kFloat, {int64_t(shape_.num_frames), width});
    const Tensor cache = node_.input(context, 1, "cache", kFloat, {2, width});
    float* y = node_.output(context, 0, "y", {int64_t(shape_.num_patches()), int64_t(shape_.patch_size())});
    float* cache_next = node_.output(context, 1, "cache", cache.shape);
    unfold2d(shape_, FloatView(x.data), FloatView(cache.data), y, cache_next);
  }

 private:
  OpNode node_;
  UnfoldShape shape_ = {};
};

}  // namespace

constinit const OpType kUnfold = {"whit.Unfold2d", make_op<Unfold>};

}  // namespace whit::litert
