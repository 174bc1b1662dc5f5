#include "whit/offline_stream.h"

#include "whit/fail.h"
#include "whit/frame_search.h"
#include "whit/frame_shift.h"
#include "whit/make_room.h"
#include "whit/token_text.h"

namespace whit {
OfflineStream::OfflineStream(std::shared_ptr<const OfflineModel> model)
    : workspace_(model), fbank_(model->config().frontend) {}

std::optional<Error> OfflineStream::accept_waveform(int sample_rate_hz, std::span<const float> samples) {
  if (finished_) {
    return Error{
        .place = "accept_waveform", .expected = "a stream before decode", .received = "one after it"};
  }
  if (error_) return error_;
  Expected<size_t> num_samples = intake_.prepare(sample_rate_hz, samples);
  if (!num_samples) return num_samples.error();
  const int64_t most = model().config().max_samples();
  if (intake_.num_samples_in_all(sample_rate_hz, samples.size()) > most) {
    error_ = Error{.place = "accept_waveform",
                   .expected = whit::text("an utterance of at most ", model().config().max_ms(),
                                          " ms, which this model takes as a whole"),
                   .received = "more"};
    return error_;
  }
  make_room(samples_, *num_samples);
  const std::span<const float> taken = intake_.accept(sample_rate_hz, samples);
  samples_.insert(samples_.end(), taken.begin(), taken.end());
  return std::nullopt;
}

std::optional<Error> OfflineStream::decode() {
  if (finished_) return error_;
  if (!error_) {
    // Stays where memory runs out in between: an utterance without a transcript is not an empty one.
    error_ = Error{.place = "decode", .expected = "enough memory", .received = "none"};
    finished_ = true;
    error_ = compute();
  }
  finished_ = true;
  return error_;
}

std::optional<Error> OfflineStream::compute() {
  const std::span<const float> rest = intake_.finish();
  make_room(samples_, rest.size());
  samples_.insert(samples_.end(), rest.begin(), rest.end());
  if (int64_t(samples_.size()) < OfflineFbank::kMinNumSamples) {
    return Error{.place = "decode",
                 .expected = whit::text("an utterance of at least ", OfflineFbank::kMinNumSamples,
                                        " samples at 16 kHz"),
                 .received = whit::text(samples_.size())};
  }
  const OfflineConfig& config = model().config();
  const int64_t num_frames = OfflineFbank::num_frames(int64_t(samples_.size()));
  features_.resize(size_t(num_frames * fbank_.num_mels()));
  fbank_.compute(samples_, features_.data());
  try {
    const std::span<const float> logits = workspace_.encode(features_);
    emissions_ = search_frames(config.head, logits, size_t(config.num_outputs()));
  } catch (const Failure& failure) {
    return failure.error();
  }
  return std::nullopt;
}

std::string OfflineStream::text() const {
  const OfflineConfig& config = model().config();
  if (config.head == OfflineHead::kCtc) return token_text(config.tokens, emissions_);
  std::string names;
  for (const Emission& emission : emissions_) {
    if (!names.empty()) names += ' ';
    names += config.tokens[size_t(emission.token)];
  }
  return names;
}

int64_t OfflineStream::frame_ms(int64_t frame) const {
  return frame * model().config().subsampling * kFrameShiftMs;
}

void OfflineStream::reset() {
  intake_.reset();
  samples_.clear();
  emissions_.clear();
  finished_ = false;
  error_.reset();
}

}  // namespace whit
