// Counts what the native engine allocates in steady state, with some threads, for one stream and for
// streams together: COUNT_ALLOCATIONS MODEL.tflite RATE THREADS STREAMS prints it.

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

#include "whit.h"

namespace {

std::atomic<long> num_allocations = 0;

void* allocate(std::size_t num_bytes, std::size_t alignment) {
  ++num_allocations;
  void* memory = std::aligned_alloc(alignment, (num_bytes + alignment - 1) / alignment * alignment);
  if (!memory) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t num_bytes) { return allocate(num_bytes ? num_bytes : 1, 16); }
void* operator new(std::size_t num_bytes, std::align_val_t alignment) {
  return allocate(num_bytes ? num_bytes : 1, std::size_t(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

int main(int, char** arguments) {
  const int rate = std::atoi(arguments[2]);
  const whit_load_options options{.num_threads = std::atoi(arguments[3]), .skip_self_test = 0};
  whit_model* model;
  whit_batch* batch;
  if (whit_model_load(arguments[1], &options, &model) || whit_batch_create(model, &batch)) {
    std::fprintf(stderr, "%s\n", whit_error_text());
    return 2;
  }
  std::vector<whit_stream*> streams(std::size_t(std::atoi(arguments[4])));
  for (whit_stream*& stream : streams) {
    if (whit_stream_create(model, &stream)) return 2;
  }
  std::vector<float> block(std::size_t(rate) / 100);
  unsigned state = 1;
  long before = 0;
  int num_chunks = 0;
  for (int i = 0; i < 500; ++i) {  // blocks of 10 ms: one second to warm up, four to count
    if (i == 100) {
      before = num_allocations;
      num_chunks = 0;
    }
    for (float& sample : block) {
      state = state * 1664525u + 1013904223u;
      sample = float(int(state)) * 0x1p-33f;
    }
    for (whit_stream* stream : streams) {
      if (whit_stream_accept_waveform(stream, rate, block.data(), block.size())) return 2;
    }
    while (whit_stream_is_ready(streams[0])) {
      const bool one = streams.size() == 1;
      if (one ? whit_stream_decode(streams[0]) : whit_batch_decode(batch, streams.data(), streams.size())) {
        return 2;
      }
      ++num_chunks;
    }
  }
  const long counted = num_allocations - before;
  whit_result result;
  if (whit_stream_result(streams[0], &result)) return 2;
  std::printf("%ld %ld %d %zu\n", before, counted, num_chunks, result.num_tokens);
  for (whit_stream* stream : streams) whit_stream_free(stream);
  whit_batch_free(batch);
  whit_model_free(model);
}
