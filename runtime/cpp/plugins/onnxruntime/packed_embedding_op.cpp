#include "custom_op.h"
#include "ops.h"
#include "packed_weights.h"
#include "whit/embedding.h"
#include "whit/fail.h"

namespace whit::ort {
namespace {

class PackedEmbedding {
 public:
  static constexpr const char* kName = "PackedEmbedding";
  static constexpr Port kInputs[] = {{kInt32}, {kUint8}, {kInt8, kOptional}, {kFloat}};
  static constexpr Port kOutputs[] = {{kFloat}};

  explicit PackedEmbedding(const Node& node)
      : table_(read_packed_matrix(node, "", {.data = 1, .codebook = 2, .scale = 3},
                                  node.int_attribute("rows"), node.int_attribute("cols"),
                                  node.int_attribute("bits"), node.string_attribute("layout"))) {
    if (table_.layout != Layout::kE) fail(kName, "layout \"E\"", "\"P\"");
  }

  void compute(const Call& call) const {
    if (!table_.codebook) call.expect_absent(2, "codebook");
    const Tensor token = call.input(0, "token", kInt32, {-1});
    float* y = call.output(0, "y", {token.shape[0], int64_t(table_.cols)});
    embedding(table_, token.data, size_t(token.shape[0]), y);
  }

 private:
  PackedMatrix table_;
};

}  // namespace

constinit const OrtCustomOp kPackedEmbedding = make_custom_op<PackedEmbedding>();

}  // namespace whit::ort
