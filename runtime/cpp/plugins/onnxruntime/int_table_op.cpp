#include "custom_op.h"
#include "int_io.h"
#include "ops.h"
#include "whit/int_table.h"

namespace whit::ort {
namespace {

class IntTable {
 public:
  static constexpr const char* kName = "IntTable";
  static constexpr Port kInputs[] = {{kInt8}, {kInt32}, {kInt8}};
  static constexpr Port kOutputs[] = {{kInt8}};

  explicit IntTable(const Node& node) : table_(node.constant_vector<int8_t>(2, "table", kInt8, 256)) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0, "x", kInt8, {-1, -1});
    const size_t rows = utterance_rows(call, 1, x.shape[0]);
    int8_t* y = call.output<int8_t>(0, "y", x.shape);
    int_table(static_cast<const int8_t*>(x.data), table_.data(), rows * size_t(x.shape[1]), y);
  }

 private:
  std::vector<int8_t> table_;  // (256,)
};

}  // namespace

constinit const OrtCustomOp kIntTable = make_custom_op<IntTable>();

}  // namespace whit::ort
