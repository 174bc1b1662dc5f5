#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace whit::fuzz {

using Bytes = std::vector<uint8_t>;

/// Damages models: flips bits, overwrites fields with limits and with other fields, moves and repeats pieces,
/// cuts the end off. The same seed makes the same damage.
class Mutation {
 public:
  explicit Mutation(uint64_t seed) : random_(seed) {}

  /// Makes one to four changes, most of them where the structure is.
  void damage(Bytes& bytes);

  size_t below(size_t limit) { return limit ? size_t(random_() % limit) : 0; }

 private:
  void change(Bytes& bytes, size_t structure_bytes);

  std::mt19937_64 random_;
};

/// Returns the bytes of the flatbuffer at the front, which zeros separate from the data section; of a file
/// without a data section, at most the first 64 KiB.
size_t structure_bytes(const uint8_t* data, size_t num_bytes);

}  // namespace whit::fuzz
