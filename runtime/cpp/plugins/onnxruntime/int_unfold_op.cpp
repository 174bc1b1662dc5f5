#include "custom_op.h"
#include "int_io.h"
#include "ops.h"
#include "whit/int_unfold.h"

namespace whit::ort {
namespace {

class IntUnfold {
 public:
  static constexpr const char* kName = "IntUnfold2d";
  static constexpr Port kInputs[] = {{kInt8}, {kInt32}};
  static constexpr Port kOutputs[] = {{kInt8}, {kInt32}, {kInt32}};

  explicit IntUnfold(const Node& node)
      : channels_(node.int_attribute("channels")), zero_(node.int_attribute("zero")) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0, "x", kInt8, {-1, -1});
    const IntUnfoldShape shape = checked_int_unfold_shape(kName, x.shape[0], x.shape[1], channels_, zero_);
    const size_t rows = utterance_rows(call, 1, x.shape[0]);
    int8_t* y = call.output<int8_t>(0, "y", {int64_t(shape.num_patches()), int64_t(shape.patch_size())});
    int_unfold2d(shape, static_cast<const int8_t*>(x.data), rows, int8_t(zero_), y);
    const size_t frames = (rows + 1) / 2;
    write_count(call, 1, "rows", frames * shape.frequencies_out());
    write_count(call, 2, "length", frames);
  }

 private:
  int64_t channels_;
  int64_t zero_;
};

}  // namespace

constinit const OrtCustomOp kIntUnfold = make_custom_op<IntUnfold>();

}  // namespace whit::ort
