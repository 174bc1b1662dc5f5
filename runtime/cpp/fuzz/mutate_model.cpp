// Runs the fuzz target over mutations of real models, the same ones for the same arguments: for compilers
// without libFuzzer, and to repeat a finding.
//
//     mutate_model NUM_MUTATIONS SEED MODEL.tflite...

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t num_bytes);

namespace {

using Bytes = std::vector<uint8_t>;

class Mutator {
 public:
  Mutator(const Bytes& original, uint64_t seed) : original_(original), random_(seed) {
    // Most changes go where the structure is: the flatbuffer, which zeros separate from the data section.
    size_t end = std::min<size_t>(original.size(), 64 << 10);
    while (end > 1 && original[end - 1] == 0) --end;
    structure_bytes_ = end;
  }

  Bytes next() {
    Bytes bytes = original_;
    const size_t num_changes = 1 + below(4);
    for (size_t i = 0; i < num_changes && !bytes.empty(); ++i) change(bytes);
    return bytes;
  }

 private:
  size_t below(size_t limit) { return limit ? size_t(random_() % limit) : 0; }

  void change(Bytes& bytes) {
    const size_t range = below(5) ? std::min(structure_bytes_, bytes.size()) : bytes.size();
    const size_t at = below(range);
    constexpr uint32_t kValues[] = {0,      1,      2,          4,          0x7F,      0xFF,
                                    0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
    switch (below(8)) {
      case 0:
      case 1:
        bytes[at] ^= uint8_t(1 << below(8));
        break;
      case 2:
        bytes[at] = uint8_t(random_());
        break;
      case 3:
      case 4: {  // a field
        const uint32_t value = kValues[below(std::size(kValues))];
        const size_t aligned = at / 4 * 4;
        std::memcpy(bytes.data() + aligned, &value, std::min<size_t>(4, bytes.size() - aligned));
        break;
      }
      case 5: {  // a small step
        bytes[at] = uint8_t(bytes[at] + (below(2) ? 1 + below(8) : 255 - below(8)));
        break;
      }
      case 6: {  // another part of the file
        const size_t count = std::min(1 + below(64), bytes.size() - at);
        const size_t from = below(bytes.size() - count + 1);
        std::memmove(bytes.data() + at, bytes.data() + from, count);
        break;
      }
      case 7:
        if (below(4) == 0) bytes.resize(below(bytes.size()));
        break;
    }
  }

  const Bytes& original_;
  std::mt19937_64 random_;
  size_t structure_bytes_;
};

}  // namespace

int main(int num_arguments, char** arguments) {
  if (num_arguments < 4) {
    std::fprintf(stderr, "usage: mutate_model NUM_MUTATIONS SEED MODEL.tflite...\n");
    return 2;
  }
  const long num_mutations = std::atol(arguments[1]);
  for (int i = 3; i < num_arguments; ++i) {
    std::ifstream file(arguments[i], std::ios::binary);
    const Bytes original((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (original.empty()) {
      std::fprintf(stderr, "[%s] expected a model, received nothing\n", arguments[i]);
      return 2;
    }
    LLVMFuzzerTestOneInput(original.data(), original.size());
    Mutator mutator(original, std::strtoull(arguments[2], nullptr, 10));
    for (long k = 0; k < num_mutations; ++k) {
      const Bytes bytes = mutator.next();
      LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    }
    std::printf("%s: %ld mutations\n", arguments[i], num_mutations);
  }
  return 0;
}
