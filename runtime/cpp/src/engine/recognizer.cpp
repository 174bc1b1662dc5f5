#include "whit/recognizer.h"

#include <algorithm>

#include "whit/frame_shift.h"
#include "whit/token_text.h"

namespace whit {
namespace {

constexpr float kFloor = -15.942385f;  // ln(2^-23), the log-mel energy of silence

}  // namespace

RecognizerStream::StateLayout RecognizerStream::layout_of(const TransducerModel& model) {
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

RecognizerStream::RecognizerStream(std::shared_ptr<const TransducerModel> model)
    : workspace_(model),
      fbank_(model->config().flavour, model->config().num_mels),
      search_(model->config().blank()),
      at_(layout_of(*model)),
      state_(at_.num_floats),
      features_(size_t(model->config().chunk_frames) * size_t(model->config().num_mels)) {
  search_.reserve(kReservedTokens);
}

std::optional<Error> RecognizerStream::accept_waveform(int sample_rate_hz, std::span<const float> samples) {
  if (finished_) {
    return Error{
        .place = "accept_waveform", .expected = "a stream before input_finished", .received = "one after it"};
  }
  Expected<size_t> num_samples = intake_.prepare(sample_rate_hz, samples);
  if (!num_samples) return num_samples.error();
  fbank_.make_room(*num_samples);
  fbank_.accept_waveform(intake_.accept(sample_rate_hz, samples));
  return std::nullopt;
}

void RecognizerStream::input_finished() {
  if (finished_) return;
  // All that may run out of memory comes first, and can be done again: no half of the tail is left out.
  const std::span<const float> rest = intake_.finish();
  std::vector<float> tail(rest.size() + size_t(model().config().tail_ms) * Fbank::kSampleRateHz / 1000);
  std::ranges::copy(rest, tail.begin());
  fbank_.accept_waveform(tail);
  fbank_.input_finished();
  finished_ = true;
}

bool RecognizerStream::is_ready() const {
  const int64_t num_frames = fbank_.num_frames_ready();
  return num_frames >= model().config().chunk_frames || (finished_ && num_frames > 0);
}

void RecognizerStream::decode() {
  if (!is_ready()) return;
  make_room_for_chunk();
  RecognizerStream* self = this;
  decode_together(workspace_, {&self, 1});
}

EncodeCall RecognizerStream::take_chunk() {
  const TransducerConfig& config = model().config();
  const int64_t num_frames = std::min<int64_t>(config.chunk_frames, fbank_.num_frames_ready());
  fbank_.read(num_frames, features_.data());
  std::fill(features_.begin() + num_frames * config.num_mels, features_.end(), kFloor);
  float* state = state_.data();
  return {features_.data(), state + at_.encoder, state + at_.encoded};
}

void RecognizerStream::finish_chunk() {
  first_encoded_frame_ += model().encoded_frames();
  commitment_.update(model().config().tokens, emissions(), first_encoded_frame_, frame_ms(1));
}

bool RecognizerStream::is_endpoint(const EndpointRule& rule) const {
  const bool after_token = !emissions().empty();
  const int64_t speech_end = after_token ? emissions().back().frame + 1 : 0;
  return rule.has_ended(frame_ms(first_encoded_frame_ - speech_end), after_token);
}

std::string RecognizerStream::text() const { return token_text(model().config().tokens, emissions()); }

size_t RecognizerStream::committed_bytes() const {
  if (is_final()) return text().size();
  return token_text(model().config().tokens, std::span(emissions()).first(commitment_.num_tokens())).size();
}

int64_t RecognizerStream::frame_ms(int64_t frame) const {
  return frame * model().config().subsampling * kFrameShiftMs;
}

void RecognizerStream::reset() {
  fbank_.reset();
  search_.reset();
  commitment_ = {};
  intake_.reset();
  std::ranges::fill(state_, 0.0f);
  first_encoded_frame_ = 0;
  finished_ = false;
}

}  // namespace whit
