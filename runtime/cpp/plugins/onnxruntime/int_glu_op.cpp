#include "custom_op.h"
#include "int_io.h"
#include "ops.h"
#include "whit/fail.h"
#include "whit/int_table.h"

namespace whit::ort {
namespace {

class IntGlu {
 public:
  static constexpr const char* kName = "IntGlu";
  static constexpr Port kInputs[] = {{kInt8}, {kInt32}, {kInt16}};
  static constexpr Port kOutputs[] = {{kInt8}};

  explicit IntGlu(const Node& node)
      : table_(node.constant_vector<int16_t>(2, "table", kInt16, 256)),
        output_{.multiplier = node.int32_attribute("multiplier"),
                .shift = node.int32_attribute("shift"),
                .low = node.int32_attribute("low"),
                .high = node.int32_attribute("high")} {
    check_int_output(kName, output_);
  }

  void compute(const Call& call) const {
    const Tensor x = call.input(0, "x", kInt8, {-1, -1});
    if (x.shape[1] % 2) fail(kName, "x of an even width", x.shape_text());
    const int64_t num_cols = x.shape[1] / 2;
    const size_t rows = utterance_rows(call, 1, x.shape[0]);
    int8_t* y = call.output<int8_t>(0, "y", {x.shape[0], num_cols});
    int_glu(static_cast<const int8_t*>(x.data), table_.data(), rows, size_t(num_cols), output_, y);
  }

 private:
  std::vector<int16_t> table_;  // (256,)
  IntOutput output_;
};

}  // namespace

constinit const OrtCustomOp kIntGlu = make_custom_op<IntGlu>();

}  // namespace whit::ort
