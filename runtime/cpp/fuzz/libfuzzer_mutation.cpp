// How libFuzzer damages models: half of the time its own way, but within the structure; else as mutate_model.

#include <algorithm>
#include <cstring>

#include "mutation.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t num_bytes, size_t max_bytes);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t num_bytes, size_t max_bytes, unsigned seed) {
  whit::fuzz::Mutation mutation(seed);
  if (num_bytes && mutation.below(2)) {
    // The structure keeps its length: the data section behind it stays where its offsets say.
    const size_t structure = whit::fuzz::structure_bytes(data, num_bytes);
    const size_t begin = mutation.below(structure);
    const size_t count = std::min<size_t>(1 + mutation.below(256), structure - begin);
    LLVMFuzzerMutate(data + begin, count, count);
    return num_bytes;
  }
  whit::fuzz::Bytes bytes(data, data + num_bytes);
  mutation.damage(bytes);
  std::copy_n(bytes.data(), std::min(bytes.size(), max_bytes), data);
  return std::min(bytes.size(), max_bytes);
}

// The head of one model with the tail of another: mostly a structure over other weights.
extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* first, size_t first_bytes, const uint8_t* second,
                                            size_t second_bytes, uint8_t* out, size_t max_bytes,
                                            unsigned seed) {
  whit::fuzz::Mutation mutation(seed);
  const size_t end = std::min(second_bytes, max_bytes);
  const size_t structure = whit::fuzz::structure_bytes(first, first_bytes);
  const size_t cut = std::min({mutation.below(2) ? structure : mutation.below(structure), first_bytes, end});
  std::memcpy(out, first, cut);
  std::memcpy(out + cut, second + cut, end - cut);
  return end;
}
