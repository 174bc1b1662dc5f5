#include "int_io.h"
#include "op.h"
#include "whit/int_unfold.h"

namespace whit::litert {
namespace {

class IntUnfold final : public Op {
 public:
  explicit IntUnfold(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(2, 3, 2);
    const auto x = node_.input_shape(context, 0, "x", kInt8, {-1, -1});
    check_length(node_, context, 1);
    shape_ = checked_int_unfold_shape(node_.op(), x[0], x[1], node_.option(0), node_.option(1));
    node_.resize_output(context, 0, "y", {int64_t(shape_.num_patches()), int64_t(shape_.patch_size())},
                        kInt8);
    node_.resize_output(context, 1, "rows", {1}, kInt32);
    node_.resize_output(context, 2, "length", {1}, kInt32);
  }

  void run(TfLiteContext* context) const override {
    const int64_t num_frames = int64_t(shape_.num_frames);
    const Tensor x = node_.input(context, 0, "x", kInt8, {num_frames, int64_t(shape_.width())});
    const size_t rows = utterance_rows(node_, context, 1, num_frames);
    int8_t* y =
        node_.output<int8_t>(context, 0, "y", {int64_t(shape_.num_patches()), int64_t(shape_.patch_size())});
    int_unfold2d(shape_, static_cast<const int8_t*>(x.data), rows, int8_t(node_.option(1)), y);
    const size_t frames = (rows + 1) / 2;
    write_count(node_, context, 1, "rows", frames * shape_.frequencies_out());
    write_count(node_, context, 2, "length", frames);
  }

 private:
  OpNode node_;
  IntUnfoldShape shape_ = {};
};

}  // namespace

constinit const OpType kIntUnfold = {"whit.IntUnfold2d", make_op<IntUnfold>};

}  // namespace whit::litert
