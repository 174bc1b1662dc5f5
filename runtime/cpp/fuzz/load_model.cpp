// What libFuzzer and mutate_model call: any bytes are a model or an error, never a crash.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "whit/aligned_buffer.h"
#include "whit/model.h"
#include "whit/recognizer.h"

namespace {

// A third of a second that is not silent: some chunks of any model.
void transcribe(std::shared_ptr<const whit::Model> model) {
  whit::RecognizerStream stream(std::move(model));
  std::vector<float> samples(5333);
  uint32_t state = 1;
  for (float& sample : samples) {
    state = state * 1664525u + 1013904223u;
    sample = float(int32_t(state)) * 0x1p-33f;
  }
  if (stream.accept_waveform(16000, samples)) __builtin_trap();
  stream.input_finished();
  for (int i = 0; i < 8; ++i) stream.decode();
  if (stream.text().size() > (size_t{1} << 30)) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t num_bytes) {
  // At a 64-byte boundary, as a mapped file is, and of exactly its size, so that every read behind it shows.
  const whit::AlignedBuffer copy(num_bytes);
  if (num_bytes) std::memcpy(copy.data(), data, num_bytes);
  const std::span<const std::byte> bytes(copy.data(), num_bytes);
  // Without the self-test, damaged weights run, too.
  auto model = whit::Model::load(bytes, "fuzz", {.self_test = false});
  if (!model) return 0;
  whit::Model::load(bytes, "fuzz", {.self_test = true});
  transcribe(*model);
  return 0;
}
