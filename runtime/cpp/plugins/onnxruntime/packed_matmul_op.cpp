#include "custom_op.h"
#include "ops.h"
#include "packed_weights.h"
#include "whit/aligned_buffer.h"
#include "whit/matmul.h"

namespace whit::ort {
namespace {

class PackedMatMul {
 public:
  static constexpr const char* kName = "PackedMatMul";
  static constexpr Port kInputs[] = {{kFloat}, {kUint8}, {kInt8, kOptional}, {kFloat}, {kFloat, kOptional}};
  static constexpr Port kOutputs[] = {{kFloat}};

  explicit PackedMatMul(const Node& node)
      : w_(read_packed_matrix(node, "", {.data = 1, .codebook = 2, .scale = 3, .bias = 4},
                              node.int_attribute("rows"), node.int_attribute("cols"),
                              node.int_attribute("bits"), node.string_attribute("layout"))) {}

  void compute(const Call& call) const {
    if (!w_.codebook) call.expect_absent(2, "codebook");
    if (!w_.bias) call.expect_absent(4, "bias");
    const Tensor x = call.input(0, "x", kFloat, {-1, int64_t(w_.cols)});
    const size_t num_lhs = size_t(x.shape[0]);
    float* y = call.output(0, "y", {x.shape[0], int64_t(w_.rows)});
    const AlignedBuffer scratch(matmul_scratch_bytes(w_, num_lhs));
    matmul(w_, FloatView(x.data), num_lhs, y, scratch.data());
  }

 private:
  PackedMatrix w_;
};

}  // namespace

constinit const OrtCustomOp kPackedMatMul = make_custom_op<PackedMatMul>();

}  // namespace whit::ort
