#include <cstring>

#include "engine/ops/ops.h"
#include "whit/fail.h"

namespace whit {
namespace {

class Slice : public StreamOp {
 public:
  explicit Slice(const Node& node) : x_(node.any_input(0)), y_(node.any_output(0)) {
    node.expect_ports(3, 1);
    const TfliteTensor& x = node.input_tensor(0);
    const TfliteTensor& y = node.output_tensor(0);
    const auto begin = node.constant_ints(1, "begin");
    const auto size = node.constant_ints(2, "size");
    const size_t rank = size_t(x.shape.rank);
    if (x.type != y.type || y.shape.rank != x.shape.rank || begin.size() != rank || size.size() != rank) {
      fail(node.place(), text("begin, size and output of rank ", rank, " and one type"), y.shape.text());
    }
    element_bytes_ = element_bytes(x.type);
    for (size_t axis = 0; axis < rank; ++axis) {
      const int64_t length = x.shape.dims[axis];
      const int64_t wanted = size[axis] == -1 ? length - begin[axis] : size[axis];
      if (begin[axis] < 0 || wanted < 1 || begin[axis] > length - wanted || wanted != y.shape.dims[axis]) {
        fail(node.place(), text("a part of ", x.shape.text(), " of shape ", y.shape.text()),
             text(size[axis], " from ", begin[axis], " on axis ", axis));
      }
      // Shapes are padded with leading axes of length 1.
      const size_t padded_axis = axis + Shape::kMaxRank - rank;
      from_length_[padded_axis] = size_t(length);
      begin_[padded_axis] = size_t(begin[axis]);
      length_[padded_axis] = size_t(wanted);
    }
  }

  void run_stream(const TensorMemory& memory) const override {
    const std::byte* from = memory.read(x_.tensor);
    std::byte* to = memory.write(y_.tensor);
    const size_t row_bytes = length_[3] * element_bytes_;
    for (size_t i = 0; i < length_[0]; ++i) {
      for (size_t j = 0; j < length_[1]; ++j) {
        for (size_t k = 0; k < length_[2]; ++k) {
          const size_t row =
              ((begin_[0] + i) * from_length_[1] + begin_[1] + j) * from_length_[2] + begin_[2] + k;
          std::memcpy(to, from + (row * from_length_[3] + begin_[3]) * element_bytes_, row_bytes);
          to += row_bytes;
        }
      }
    }
  }
  int64_t work() const override { return y_.shape.count(); }

 private:
  using Lengths = std::array<size_t, Shape::kMaxRank>;

  Operand x_, y_;
  size_t element_bytes_;
  Lengths from_length_ = {1, 1, 1, 1};
  Lengths begin_ = {};
  Lengths length_ = {1, 1, 1, 1};
};

}  // namespace

std::unique_ptr<Op> make_slice(const Node& node) { return std::make_unique<Slice>(node); }

}  // namespace whit
