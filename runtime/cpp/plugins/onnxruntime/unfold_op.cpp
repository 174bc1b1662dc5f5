#include "custom_op.h"
#include "ops.h"
#include "whit/unfold.h"

namespace whit::ort {
namespace {

class Unfold {
 public:
  static constexpr const char* kName = "Unfold2d";
  static constexpr Port kInputs[] = {{kFloat}, {kFloat}};
  static constexpr Port kOutputs[] = {{kFloat}, {kFloat}};

  explicit Unfold(const Node& node) : channels_(node.int_attribute("channels")) {}

  void compute(const Call& call) const {
    const Tensor x = call.input(0, "x", kFloat, {-1, -1});
    const UnfoldShape shape = checked_unfold_shape(kName, x.shape[0], x.shape[1], channels_);
    const Tensor cache = call.input(1, "cache", kFloat, {2, x.shape[1]});
    float* y = call.output(0, "y", {int64_t(shape.num_patches()), int64_t(shape.patch_size())});
    float* cache_next = call.output(1, "cache", cache.shape);
    unfold2d(shape, FloatView(x.data), FloatView(cache.data), y, cache_next);
  }

 private:
  int64_t channels_;
};

}  // namespace

constinit const OrtCustomOp kUnfold = make_custom_op<Unfold>();

}  // namespace whit::ort
