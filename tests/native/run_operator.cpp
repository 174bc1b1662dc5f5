// Runs the signature `run` of a .tflite file on the native engine:
//   run_operator FILE FOLDER THREADS INPUTS OUTPUTS
// reads FOLDER/NAME.bin of each input and writes FOLDER/NAME.out of each output; names are joined by commas.
// A file that the engine refuses prints its sentence and exits with 2.

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "whit/aligned_buffer.h"
#include "whit/fail.h"
#include "whit/graph.h"
#include "whit/mapped_file.h"
#include "whit/thread_pool.h"

namespace {

std::vector<std::string> split(const std::string& names) {
  std::vector<std::string> parts;
  std::istringstream stream(names);
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

void run(char** arguments) {
  const std::string folder = arguments[2];
  const std::vector<std::string> inputs = split(arguments[4]), outputs = split(arguments[5]);
  whit::Expected<whit::MappedFile> mapped = whit::MappedFile::open(arguments[1]);
  if (!mapped) throw whit::Failure(mapped.error());
  const whit::TfliteFile file = whit::read_tflite((*mapped).bytes());
  const whit::Graph graph(file, "run", inputs, outputs);
  const whit::AlignedBuffer arena(graph.arena_bytes());
  std::memset(arena.data(), 0x5A, graph.arena_bytes());  // what nobody wrote is seen
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::ifstream stream(folder + "/" + inputs[i] + ".bin", std::ios::binary);
    std::byte* to = whit::Graph::place(graph.input(i), arena.data(), 1);
    if (!stream.read(reinterpret_cast<char*>(to), std::streamsize(graph.input(i).num_bytes()))) {
      whit::fail(inputs[i], "a file of the tensor's size", "a shorter one");
    }
  }
  whit::ThreadPool pool(size_t(std::atoi(arguments[3])));
  graph.run(arena.data(), 1, &pool);
  for (size_t i = 0; i < outputs.size(); ++i) {
    std::ofstream stream(folder + "/" + outputs[i] + ".out", std::ios::binary);
    const std::byte* from = whit::Graph::place(graph.output(i), arena.data(), 1);
    stream.write(reinterpret_cast<const char*>(from), std::streamsize(graph.output(i).num_bytes()));
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) return EXIT_FAILURE;
  try {
    run(arguments);
  } catch (const whit::Failure& failure) {
    std::cerr << failure.what() << '\n';
    return 2;
  }
}
