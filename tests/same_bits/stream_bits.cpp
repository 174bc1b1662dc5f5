// What the native engine says about 16 kHz int16 audio, to the bit: STREAM_BITS MODEL.tflite < PCM > BITS.
// The form of BITS is UtteranceBits.to_bytes of utterance_bits.py.

#include <array>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "whit/model.h"
#include "whit/recognizer.h"

namespace {

constexpr int kRateHz = 16000;

template <typename T>
void put(const std::vector<T>& values) {
  std::fwrite(values.data(), sizeof(T), values.size(), stdout);
}

}  // namespace

int main(int, char** arguments) {
  auto model = whit::load<whit::TransducerModel>(arguments[1], {.self_test = true});
  if (!model) {
    std::fprintf(stderr, "%s\n", model.error().text().c_str());
    return 2;
  }
  whit::RecognizerStream stream(*model);
  std::vector<float> chunks;  // (num_chunks, encoded_frames, joint_hidden)
  uint32_t num_chunks = 0;
  const auto decode = [&] {
    for (; stream.is_ready(); ++num_chunks) {
      stream.decode();
      chunks.insert(chunks.end(), stream.encoded().begin(), stream.encoded().end());
    }
  };
  std::array<int16_t, kRateHz / 10> block;
  std::vector<float> samples;
  while (const size_t count = std::fread(block.data(), sizeof(block[0]), block.size(), stdin)) {
    samples.assign(block.begin(), block.begin() + count);
    for (float& sample : samples) sample *= 0x1p-15f;
    if (stream.accept_waveform(kRateHz, samples)) return 2;
    decode();
  }
  stream.input_finished();
  decode();

  std::vector<int32_t> tokens;
  std::vector<int64_t> times_ms;
  for (const whit::Emission& emission : stream.emissions()) {
    tokens.push_back(int32_t(emission.token));
    times_ms.push_back(stream.frame_ms(emission.frame));
  }
  const auto width = uint32_t((*model)->config().joint_hidden);
  put<uint32_t>({num_chunks, uint32_t((*model)->encoded_frames()), width, uint32_t(tokens.size())});
  put(chunks);
  put(tokens);
  put(times_ms);
}
