#pragma once

#include <cstddef>
#include <cstdint>

#include "whit/workers.h"

namespace whit {

/// Where the tensors of a graph lie during one run: constants in the file, all others in an arena. A graph
/// runs for one stream, or for several of one model together: then every tensor of the arena is there once
/// for each stream, one behind the other.
class TensorMemory {
 public:
  /// A tensor's place: an address in the file, or else an offset into the arena of one stream.
  struct Place {
    const std::byte* constant = nullptr;
    size_t offset = 0;
    size_t num_bytes = 0;  ///< for one stream
  };

  TensorMemory(const Place* places, std::byte* arena, size_t num_streams = 1)
      : places_(places), arena_(arena), num_streams_(num_streams) {}

  size_t num_streams() const { return num_streams_; }
  /// The same memory as one stream sees it.
  TensorMemory stream(size_t i) const {
    TensorMemory memory = *this;
    memory.stream_ = i;
    return memory;
  }

  /// Returns the tensor of the first stream, or of the one that `stream` has chosen; those of the others
  /// follow. Lengths grow with the number of streams, and so do offsets.
  /// @param[in] tensor  any of the graph; a constant may lie at any address, and all streams share it.
  const std::byte* read(size_t tensor) const {
    const Place& place = places_[tensor];
    return place.constant ? place.constant : write(tensor);
  }
  /// @param[in] tensor  not a constant; 64-byte aligned for the first stream.
  std::byte* write(size_t tensor) const {
    const Place& place = places_[tensor];
    return arena_ + num_streams_ * place.offset + stream_ * place.num_bytes;
  }
  float* write_floats(size_t tensor) const { return reinterpret_cast<float*>(write(tensor)); }

  /// The same for values of a known type; none of the two is a constant.
  template <typename T>
  const T* read_as(size_t tensor) const {
    return reinterpret_cast<const T*>(write(tensor));
  }
  template <typename T>
  T* write_as(size_t tensor) const {
    return reinterpret_cast<T*>(write(tensor));
  }

 private:
  const Place* places_;
  std::byte* arena_;
  size_t num_streams_;
  size_t stream_ = 0;
};

/// One step of a graph, checked when it was made: running it cannot fail and allocates nothing.
class Op {
 public:
  virtual ~Op() = default;

  /// Runs all streams of `memory`.
  /// @param scratch      (num_streams * scratch_bytes(),), 64-byte aligned
  /// @param[in] workers  share the work; may be null
  virtual void run(const TensorMemory& memory, std::byte* scratch, Workers* workers) const = 0;
  /// For one stream; a multiple of 64. Of 64 bits on every machine, for nothing has bounded it yet.
  virtual uint64_t scratch_bytes() const { return 0; }
  /// Multiply-adds of one run, or values moved: bounds what a hostile file can ask for.
  virtual int64_t work() const = 0;
};

/// A step that gains nothing from streams together: it runs one after the other.
class StreamOp : public Op {
 public:
  void run(const TensorMemory& memory, std::byte*, Workers*) const final {
    for (size_t i = 0; i < memory.num_streams(); ++i) run_stream(memory.stream(i));
  }

 private:
  virtual void run_stream(const TensorMemory& memory) const = 0;
};

}  // namespace whit
