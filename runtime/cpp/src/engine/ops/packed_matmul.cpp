#include "engine/ops/ops.h"
#include "whit/matmul.h"

namespace whit {
namespace {

class PackedMatMul : public Op {
 public:
  explicit PackedMatMul(const Node& node) {
    node.expect_ports(5, 1);
    const auto attributes = node.attributes(4);  // rows, cols, bits, layout
    w_ = node.packed_matrix(
        "", {.data = 1, .codebook = 2, .scale = 3, .bias = 4},
        {.rows = attributes[0], .cols = attributes[1], .bits = attributes[2], .layout = attributes[3]});
    x_ = node.computed_input(0, "x", TensorType::kFloat32, {-1, int64_t(w_.cols)});
    num_lhs_ = size_t(x_.shape.dims[0]);
    y_ = node.output(0, "y", TensorType::kFloat32, {x_.shape.dims[0], int64_t(w_.rows)});
  }

  void run(const TensorMemory& memory, std::byte* scratch, Workers* workers) const override {
    matmul(w_, FloatView(memory.read(x_.tensor)), memory.num_streams() * num_lhs_,
           memory.write_floats(y_.tensor), scratch, workers);
  }
  uint64_t scratch_bytes() const override { return matmul_scratch_bytes(w_, num_lhs_); }
  int64_t work() const override {
    return int64_t(num_lhs_) * int64_t(w_.padded_rows()) * int64_t(w_.padded_cols());
  }

 private:
  PackedMatrix w_;
  Operand x_, y_;
  size_t num_lhs_;
};

}  // namespace

std::unique_ptr<Op> make_packed_matmul(const Node& node) { return std::make_unique<PackedMatMul>(node); }

}  // namespace whit
