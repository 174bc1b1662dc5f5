#include "whit/recognizer.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "whit/fail.h"

namespace whit {
namespace {

constexpr int kFrameShiftMs = 10;
constexpr float kFloor = -15.942385f;  // ln(2^-23), the log-mel energy of silence
constexpr float kMaxMagnitude = 1e5f;  // a tenth of what the front-end takes: a filter may overshoot
constexpr std::string_view kWordStart = "\u2581";  // SentencePiece's mark for a space before the token

Error accept_error(std::string expected, std::string received) {
  return {.place = "accept_waveform", .expected = std::move(expected), .received = std::move(received)};
}

}  // namespace

RecognizerStream::StateLayout RecognizerStream::layout_of(const Model& model) {
  StateLayout at;
  size_t end = model.encoder_state_floats();
  const auto place = [&](const Graph::Port& port) {
    const size_t start = end;
    end += size_t(port.shape.count());
    return start;
  };
  at.predictor_h = place(model.predict().input(1));
  at.predictor_c = place(model.predict().input(2));
  at.predicted = place(model.predict().output(0));
  at.encoded = place(model.encode().output(0));
  at.num_floats = end;
  return at;
}

RecognizerStream::RecognizerStream(std::shared_ptr<const Model> model)
    : workspace_(model),
      fbank_(model->config().flavour, model->config().num_mels),
      search_(model->config().blank()),
      at_(layout_of(*model)),
      state_(at_.num_floats),
      features_(size_t(model->config().chunk_frames) * size_t(model->config().num_mels)) {
  search_.reserve(kReservedTokens);
}

std::optional<Error> RecognizerStream::accept_waveform(int sample_rate_hz, std::span<const float> samples) {
  if (finished_) return accept_error("a stream before input_finished", "one after it");
  const auto bad = std::ranges::find_if(samples, [](float x) { return !(std::fabs(x) <= kMaxMagnitude); });
  if (bad != samples.end()) {
    return accept_error(whit::text("samples of magnitude up to ", kMaxMagnitude),
                        whit::text(*bad, " at sample ", bad - samples.begin()));
  }
  if (sample_rate_hz_ == 0) {
    if (sample_rate_hz != Fbank::kSampleRateHz) {
      try {
        resampler_.emplace(sample_rate_hz, Fbank::kSampleRateHz);
      } catch (const std::invalid_argument&) {
        return accept_error("a sample rate from 1000 to 384000 Hz", whit::text(sample_rate_hz));
      }
    }
    sample_rate_hz_ = sample_rate_hz;
  } else if (sample_rate_hz != sample_rate_hz_) {
    return accept_error(whit::text(sample_rate_hz_, " Hz again"), whit::text(sample_rate_hz, " Hz"));
  }
  if (!resampler_) {
    fbank_.accept_waveform(samples);
    return std::nullopt;
  }
  resampled_.resize(size_t(std::max<int64_t>(0, resampler_->num_samples_ready(int64_t(samples.size())))));
  resampler_->process(samples, resampled_.data());
  fbank_.accept_waveform(resampled_);
  return std::nullopt;
}

void RecognizerStream::input_finished() {
  if (finished_) return;
  finished_ = true;
  if (resampler_) {
    resampled_.resize(size_t(resampler_->num_samples_left()));
    resampler_->flush(resampled_.data());
    fbank_.accept_waveform(resampled_);
  }
  const std::vector<float> tail(size_t(model().config().tail_ms) * Fbank::kSampleRateHz / 1000);
  fbank_.accept_waveform(tail);
  fbank_.input_finished();
}

bool RecognizerStream::is_ready() const {
  const int64_t num_frames = fbank_.num_frames_ready();
  return num_frames >= model().config().chunk_frames || (finished_ && num_frames > 0);
}

void RecognizerStream::decode() {
  if (!is_ready()) return;
  RecognizerStream* self = this;
  decode_together(workspace_, {&self, 1});
}

EncodeCall RecognizerStream::take_chunk() {
  const ModelConfig& config = model().config();
  const int64_t num_frames = std::min<int64_t>(config.chunk_frames, fbank_.num_frames_ready());
  fbank_.read(num_frames, features_.data());
  std::fill(features_.begin() + num_frames * config.num_mels, features_.end(), kFloor);
  float* state = state_.data();
  return {features_.data(), state + at_.encoder, state + at_.encoded};
}

std::string RecognizerStream::text() const {
  std::string words;
  for (const Emission& emission : emissions()) {
    const std::string_view token = model().config().tokens[size_t(emission.token)];
    for (size_t at = 0; at < token.size();) {
      if (token.substr(at).starts_with(kWordStart)) {
        if (!words.empty() && words.back() != ' ') words += ' ';
        at += kWordStart.size();
      } else {
        words += token[at++];
      }
    }
  }
  if (words.ends_with(' ')) words.pop_back();
  return words;
}

int64_t RecognizerStream::frame_ms(int64_t frame) const {
  return frame * model().config().subsampling * kFrameShiftMs;
}

void RecognizerStream::reset() {
  fbank_.reset();
  search_.reset();
  search_.reserve(kReservedTokens);
  resampler_.reset();
  std::ranges::fill(state_, 0.0f);
  first_encoded_frame_ = 0;
  sample_rate_hz_ = 0;
  finished_ = false;
}

}  // namespace whit
