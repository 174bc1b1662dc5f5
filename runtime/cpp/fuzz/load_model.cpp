// What libFuzzer and mutate_model call: any bytes are a model or an error, never a crash.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <variant>
#include <vector>

#include "whit/aligned_buffer.h"
#include "whit/model.h"
#include "whit/offline_stream.h"
#include "whit/recognizer.h"

namespace {

// Not silent.
std::vector<float> make_speech(size_t num_samples) {
  std::vector<float> samples(num_samples);
  uint32_t state = 1;
  for (float& sample : samples) {
    state = state * 1664525u + 1013904223u;
    sample = float(int32_t(state)) * 0x1p-33f;
  }
  return samples;
}

void transcribe(std::shared_ptr<const whit::TransducerModel> model) {
  whit::RecognizerStream stream(std::move(model));
  if (stream.accept_waveform(16000, make_speech(5333))) __builtin_trap();  // some chunks of any model
  stream.input_finished();
  for (int i = 0; i < 8; ++i) stream.decode();
  stream.next_utterance();
  for (int i = 0; i < 8; ++i) stream.decode();
  if (stream.num_committed() > stream.emissions().size()) __builtin_trap();
}

// Too short for some models, and a damaged graph may give the wrong number of frames: errors, too.
// Convolutions take blocks of 512 rows, so where a model takes it, speech is longer than one.
void transcribe(std::shared_ptr<const whit::OfflineModel> model) {
  const int64_t num_samples = std::min<int64_t>(model->config().max_samples(), 7 * 16000);
  whit::OfflineStream stream(std::move(model));
  if (stream.accept_waveform(16000, make_speech(size_t(num_samples)))) __builtin_trap();
  if (!stream.decode() && stream.text().size() > (size_t{1} << 30)) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t num_bytes) {
  // At a 64-byte boundary, as a mapped file is, and of exactly its size, so that every read behind it shows.
  const whit::AlignedBuffer copy(num_bytes);
  if (num_bytes) std::memcpy(copy.data(), data, num_bytes);
  const std::span<const std::byte> bytes(copy.data(), num_bytes);
  // Without the self-test, damaged weights run, too.
  auto model = whit::load_model(bytes, "fuzz", {.self_test = false});
  if (!model) return 0;
  whit::load_model(bytes, "fuzz", {.self_test = true});
  std::visit([](const auto& loaded) { transcribe(loaded); }, *model);
  return 0;
}
