#include "custom_op.h"
#include "int_io.h"
#include "ops.h"
#include "whit/fail.h"
#include "whit/int_unfold.h"

namespace whit::ort {
namespace {

class DistanceRows {
 public:
  static constexpr const char* kName = "DistanceRows";
  static constexpr Port kInputs[] = {{kInt8}, {kInt32}};
  static constexpr Port kOutputs[] = {{kInt8}, {kInt32}};

  explicit DistanceRows(const Node&) {}

  void compute(const Call& call) const {
    const Tensor table = call.input(0, "table", kInt8, {-1, -1});
    if (table.shape[0] % 2 == 0) fail(kName, "a table of 2 T - 1 rows", table.shape_text());
    const int64_t num_frames = (table.shape[0] + 1) / 2;
    const size_t rows = utterance_rows(call, 1, num_frames);
    int8_t* y = call.output<int8_t>(0, "y", table.shape);
    distance_rows(static_cast<const int8_t*>(table.data), size_t(num_frames), size_t(table.shape[1]), rows,
                  y);
    write_count(call, 1, "rows", num_distance_rows(rows));
  }
};

}  // namespace

constinit const OrtCustomOp kDistanceRows = make_custom_op<DistanceRows>();

}  // namespace whit::ort
