#include "whit/recognizer.h"

#include <algorithm>

#include "whit/frame_shift.h"

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
      features_(size_t(model->config().chunk_frames) * size_t(model->config().num_mels)),
      recent_(kPrerollMs / kFrameShiftMs, model->config().num_mels) {
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
  const int64_t num_frames = recent_.num_waiting() + fbank_.num_frames_ready();
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
  const int64_t num_again = std::min<int64_t>(config.chunk_frames, recent_.num_waiting());
  const int64_t num_new = std::min<int64_t>(config.chunk_frames - num_again, fbank_.num_frames_ready());
  const std::span frames(features_);
  const auto again = frames.first(size_t(num_again * config.num_mels));
  const auto fresh = frames.subspan(again.size(), size_t(num_new * config.num_mels));
  if (num_again) recent_.take_again(again);
  if (num_new) {
    fbank_.read(num_new, fresh.data());
    recent_.add(fresh);
  }
  std::ranges::fill(frames.subspan(again.size() + fresh.size()), kFloor);
  float* state = state_.data();
  return {features_.data(), state + at_.encoder, state + at_.encoded};
}

void RecognizerStream::finish_chunk() {
  first_encoded_frame_ += model().encoded_frames();
  commitment_.update(model().config().tokens, emissions(), first_encoded_frame_, encoded_ms());
}

bool RecognizerStream::is_endpoint(const EndpointRule& rule) const {
  const bool after_token = !emissions().empty();
  const int64_t speech_end = after_token ? emissions().back().frame + 1 : 0;
  return rule.has_ended((first_encoded_frame_ - speech_end) * encoded_ms(), after_token);
}

int64_t RecognizerStream::frame_ms(int64_t frame) const {
  return utterance_start_ * kFrameShiftMs + frame * encoded_ms();
}

int64_t RecognizerStream::encoded_ms() const { return model().config().subsampling * kFrameShiftMs; }

void RecognizerStream::begin_utterance() {
  search_.reset();
  commitment_ = {};
  std::ranges::fill(state_, 0.0f);
  first_encoded_frame_ = 0;
  utterance_start_ = recent_.position();
}

void RecognizerStream::next_utterance() {
  const TransducerConfig& config = model().config();
  const int64_t tokens_end = emissions().empty() ? 0 : emissions().back().frame + 1;
  // No token twice, and at least a chunk further than the utterance before, whatever the endpoint rule.
  recent_.rewind(utterance_start_ + std::max<int64_t>(config.chunk_frames, tokens_end * config.subsampling));
  begin_utterance();
}

void RecognizerStream::reset() {
  fbank_.reset();
  intake_.reset();
  recent_.reset();
  begin_utterance();
  finished_ = false;
}

}  // namespace whit
