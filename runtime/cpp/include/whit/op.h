#pragma once

#include <cstddef>
#include <cstdint>

namespace whit {

/// Where the tensors of a graph lie during one run: constants in the file, all others in an arena.
class TensorMemory {
 public:
  /// A tensor's place: an address in the file, or else an offset into the arena.
  struct Place {
    const std::byte* constant = nullptr;
    size_t offset = 0;
  };

  TensorMemory(const Place* places, std::byte* arena) : places_(places), arena_(arena) {}

  /// @param[in] tensor  any of the graph; a constant may lie at any address.
  const std::byte* read(size_t tensor) const {
    const Place& place = places_[tensor];
    return place.constant ? place.constant : arena_ + place.offset;
  }
  /// @param[in] tensor  not a constant; 64-byte aligned.
  std::byte* write(size_t tensor) const { return arena_ + places_[tensor].offset; }
  float* write_floats(size_t tensor) const { return reinterpret_cast<float*>(write(tensor)); }

 private:
  const Place* places_;
  std::byte* arena_;
};

/// One step of a graph, checked when it was made: running it cannot fail and allocates nothing.
class Op {
 public:
  virtual ~Op() = default;

  /// @param scratch  (scratch_bytes(),), 64-byte aligned
  virtual void run(const TensorMemory& memory, std::byte* scratch) const = 0;
  virtual size_t scratch_bytes() const { return 0; }
  /// Multiply-adds of one run, or values moved: bounds what a hostile file can ask for.
  virtual int64_t work() const = 0;
};

}  // namespace whit
