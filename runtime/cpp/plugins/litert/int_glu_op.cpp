#include "int_io.h"
#include "op.h"
#include "whit/fail.h"
#include "whit/int_table.h"

namespace whit::litert {
namespace {

class IntGlu final : public Op {
 public:
  explicit IntGlu(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(3, 1, 4);
    output_ = {.multiplier = node_.option(0),
               .shift = node_.option(1),
               .low = node_.option(2),
               .high = node_.option(3)};
    check_int_output(node_.op(), output_);
    const auto shape = node_.input_shape(context, 0, "x", kInt8, {-1, -1});
    if (shape[1] % 2) fail(node_.op(), "x of an even width", text(shape[1]));
    check_length(node_, context, 1);
    table_ = node_.constant_vector<int16_t>(context, 2, "table", 256);
    node_.resize_output(context, 0, "y", {shape[0], shape[1] / 2}, kInt8);
  }

  void run(TfLiteContext* context) const override {
    const Tensor x = node_.input(context, 0, "x", kInt8, {-1, -1});
    const int64_t num_cols = x.shape[1] / 2;
    const size_t rows = utterance_rows(node_, context, 1, x.shape[0]);
    int8_t* y = node_.output<int8_t>(context, 0, "y", {x.shape[0], num_cols});
    int_glu(static_cast<const int8_t*>(x.data), table_.data(), rows, size_t(num_cols), output_, y);
  }

 private:
  OpNode node_;
  std::vector<int16_t> table_;  // (256,)
  IntOutput output_ = {};
};

}  // namespace

constinit const OpType kIntGlu = {"whit.IntGlu", make_op<IntGlu>};

}  // namespace whit::litert
