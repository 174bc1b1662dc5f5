#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "whit/op.h"
#include "whit/tflite_file.h"

namespace whit {

/// Memory and time of one run are bounded: a file that asks for more is refused.
struct GraphLimits {
  size_t arena_bytes;
  int64_t work;  ///< multiply-adds
};

/// For the parts of a streaming model, which compute chunks.
inline constexpr GraphLimits kChunkLimits = {.arena_bytes = size_t{64} << 20, .work = int64_t{1} << 34};

/// One signature of a model, ready to run: its operators in order and the plan of their memory. It is
/// immutable, so that any number of arenas run it at once.
class Graph {
 public:
  /// Checks a signature and plans its memory.
  /// @param[in] inputs, outputs  names in the order of `input()` and `output()`; the file must have exactly
  ///                             these.
  /// @throws Failure for the first defect.
  Graph(const TfliteFile& file, std::string_view key, const std::vector<std::string>& inputs,
        const std::vector<std::string>& outputs, const GraphLimits& limits = kChunkLimits);

  struct Port {
    TensorType type;
    Shape shape;
    size_t offset;  ///< into the arena of one stream, a multiple of 64

    size_t num_bytes() const { return size_t(shape.count()) * element_bytes(type); }
  };
  const Port& input(size_t i) const { return inputs_[i]; }
  const Port& output(size_t i) const { return outputs_[i]; }
  size_t num_inputs() const { return inputs_.size(); }

  /// For one stream.
  size_t arena_bytes() const { return arena_bytes_; }

  /// Multiply-adds and values moved of one run; within the limits.
  int64_t work() const { return work_; }

  /// Returns where a port begins for streams together; those of the second and later follow.
  static std::byte* place(const Port& port, std::byte* arena, size_t num_streams) {
    return arena + num_streams * port.offset;
  }

  /// Runs all operators: reads the inputs, writes the outputs. Inputs may be overwritten. Streams do not
  /// change each other's results.
  /// @param arena        (num_streams * arena_bytes(),), 64-byte aligned
  /// @param[in] workers  share the work; may be null
  void run(std::byte* arena, size_t num_streams, Workers* workers) const;

 private:
  struct Step {
    std::unique_ptr<Op> op;
    size_t scratch_offset;
  };

  std::vector<Step> steps_;
  std::vector<TensorMemory::Place> places_;  // (tensors,)
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  size_t arena_bytes_;
  int64_t work_ = 0;
};

/// Compares a port with what the configuration asks for.
/// @throws Failure that begins with `place`.
void check_port(std::string_view place, const Graph::Port& port, TensorType type, const Shape& expected);

/// The shape of a matrix.
inline Shape matrix_shape(int64_t rows, int64_t cols) { return {.rank = 2, .dims = {rows, cols}}; }

}  // namespace whit
