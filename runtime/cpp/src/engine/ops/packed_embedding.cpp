#include "engine/ops/ops.h"
#include "whit/embedding.h"
#include "whit/fail.h"

namespace whit {
namespace {

class PackedEmbedding : public StreamOp {
 public:
  explicit PackedEmbedding(const Node& node) {
    node.expect_ports(4, 1);
    const auto attributes = node.attributes(4);  // rows, cols, bits, layout
    table_ = node.packed_matrix(
        "", {.data = 1, .codebook = 2, .scale = 3},
        {.rows = attributes[0], .cols = attributes[1], .bits = attributes[2], .layout = attributes[3]});
    if (table_.layout != Layout::kE) fail(node.place(), "layout 0 (E)", "1 (P)");
    token_ = node.input(0, "token", TensorType::kInt32, {-1});
    y_ = node.output(0, "y", TensorType::kFloat32, {token_.shape.dims[0], int64_t(table_.cols)});
  }

  void run_stream(const TensorMemory& memory) const override {
    embedding(table_, memory.read(token_.tensor), size_t(token_.shape.dims[0]),
              memory.write_floats(y_.tensor));
  }
  // One look at each row's codebook, when it is checked, and the rows of the tokens.
  int64_t work() const override {
    return int64_t(table_.padded_rows()) + token_.shape.dims[0] * int64_t(table_.padded_cols());
  }

 private:
  PackedMatrix table_;
  Operand token_, y_;
};

}  // namespace

std::unique_ptr<Op> make_packed_embedding(const Node& node) {
  return std::make_unique<PackedEmbedding>(node);
}

}  // namespace whit
