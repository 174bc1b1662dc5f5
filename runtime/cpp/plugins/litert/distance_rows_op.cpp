#include "int_io.h"
#include "op.h"
#include "whit/fail.h"
#include "whit/int_unfold.h"

namespace whit::litert {
namespace {

class DistanceRows final : public Op {
 public:
  explicit DistanceRows(OpNode node) : node_(std::move(node)) {}

  void prepare(TfLiteContext* context) override {
    node_.expect_counts(2, 2, 0);
    const auto table = node_.input_shape(context, 0, "table", kInt8, {-1, -1});
    if (table[0] % 2 == 0) fail(node_.op(), "a table of 2 T - 1 rows", text(table[0]));
    check_length(node_, context, 1);
    node_.resize_output(context, 0, "y", table, kInt8);
    node_.resize_output(context, 1, "rows", {1}, kInt32);
  }

  void run(TfLiteContext* context) const override {
    const Tensor table = node_.input(context, 0, "table", kInt8, {-1, -1});
    const int64_t num_frames = (table.shape[0] + 1) / 2;
    const size_t rows = utterance_rows(node_, context, 1, num_frames);
    int8_t* y = node_.output<int8_t>(context, 0, "y", table.shape);
    distance_rows(static_cast<const int8_t*>(table.data), size_t(num_frames), size_t(table.shape[1]), rows,
                  y);
    write_count(node_, context, 1, "rows", num_distance_rows(rows));
  }

 private:
  OpNode node_;
};

}  // namespace

constinit const OpType kDistanceRows = {"whit.DistanceRows", make_op<DistanceRows>};

}  // namespace whit::litert
