// Runs the fuzz target over mutations of real models, the same ones for the same arguments: for compilers
// without libFuzzer, and to repeat a finding.
//
//     mutate_model NUM_MUTATIONS SEED MODEL.tflite...

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "mutation.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t num_bytes);

int main(int num_arguments, char** arguments) {
  if (num_arguments < 4) {
    std::fprintf(stderr, "usage: mutate_model NUM_MUTATIONS SEED MODEL.tflite...\n");
    return 2;
  }
  const long num_mutations = std::atol(arguments[1]);
  for (int i = 3; i < num_arguments; ++i) {
    std::ifstream file(arguments[i], std::ios::binary);
    const whit::fuzz::Bytes original((std::istreambuf_iterator<char>(file)),
                                     std::istreambuf_iterator<char>());
    if (original.empty()) {
      std::fprintf(stderr, "[%s] expected a model, received nothing\n", arguments[i]);
      return 2;
    }
    LLVMFuzzerTestOneInput(original.data(), original.size());
    whit::fuzz::Mutation mutation(std::strtoull(arguments[2], nullptr, 10));
    for (long k = 0; k < num_mutations; ++k) {
      whit::fuzz::Bytes bytes = original;
      mutation.damage(bytes);
      LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    }
    std::printf("%s: %ld mutations\n", arguments[i], num_mutations);
  }
  return 0;
}
