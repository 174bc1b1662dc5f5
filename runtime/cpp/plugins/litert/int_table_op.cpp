#include "int_io.h"
#include "op.h"
#include "whit/int_table.h"

namespace whit::litert {
namespace {

class IntTable final : public Op {
 public:
  explicit IntTable(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(3, 1, 0);
    check_length(node_, context, 1);
    table_ = node_.constant_vector<int8_t>(context, 2, "table", 256);
    node_.resize_output(context, 0, "y", node_.input_shape(context, 0, "x", kInt8, {-1, -1}), kInt8);
  }

  void run(TfLiteContext* context) const override {
    const Tensor x = node_.input(context, 0, "x", kInt8, {-1, -1});
    const size_t rows = utterance_rows(node_, context, 1, x.shape[0]);
    int8_t* y = node_.output<int8_t>(context, 0, "y", x.shape);
    int_table(static_cast<const int8_t*>(x.data), table_.data(), rows * size_t(x.shape[1]), y);
  }

 private:
  OpNode node_;
  std::vector<int8_t> table_;  // (256,)
};

}  // namespace

constinit const OpType kIntTable = {"whit.IntTable", make_op<IntTable>};

}  // namespace whit::litert
