#include "whit/audio_intake.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "whit/fail.h"

namespace whit {
namespace {

Error accept_error(std::string expected, std::string received) {
  return {.place = "accept_waveform", .expected = std::move(expected), .received = std::move(received)};
}

}  // namespace

Expected<size_t> AudioIntake::prepare(int sample_rate_hz, std::span<const float> samples) {
  const auto bad = std::ranges::find_if(samples, [](float x) { return !(std::fabs(x) <= kMaxMagnitude); });
  if (bad != samples.end()) {
    return accept_error(text("samples of magnitude up to ", kMaxMagnitude),
                        text(*bad, " at sample ", num_samples_ + (bad - samples.begin())));
  }
  if (sample_rate_hz_ == 0) {
    if (sample_rate_hz < Resampler::kMinRateHz || sample_rate_hz > Resampler::kMaxRateHz) {
      return accept_error(
          text("a sample rate from ", Resampler::kMinRateHz, " to ", Resampler::kMaxRateHz, " Hz"),
          text(sample_rate_hz));
    }
    if (sample_rate_hz != kSampleRateHz && sample_rate_hz != resampler_rate_hz_) {
      resampler_rate_hz_ = 0;
      try {
        resampler_.emplace(sample_rate_hz, kSampleRateHz);
      } catch (const Failure& failure) {
        return failure.error();
      }
      resampler_rate_hz_ = sample_rate_hz;
    }
  } else if (sample_rate_hz != sample_rate_hz_) {
    return accept_error(text(sample_rate_hz_, " Hz again"), text(sample_rate_hz, " Hz"));
  }
  if (!resamples(sample_rate_hz)) return samples.size();
  make_room(std::max<int64_t>(0, resampler_->num_samples_ready(int64_t(samples.size()))));
  return resampled_.size();
}

int64_t AudioIntake::num_samples_in_all(int sample_rate_hz, size_t num_samples) const {
  return ((num_samples_ + int64_t(num_samples)) * kSampleRateHz + sample_rate_hz - 1) / sample_rate_hz;
}

void AudioIntake::make_room(int64_t num_samples) {
  if (uint64_t(num_samples) > resampled_.max_size()) throw std::bad_alloc();
  resampled_.resize(size_t(num_samples));
}

std::span<const float> AudioIntake::accept(int sample_rate_hz, std::span<const float> samples) {
  if (resamples(sample_rate_hz)) resampler_->process(samples, resampled_.data());
  sample_rate_hz_ = sample_rate_hz;
  num_samples_ += int64_t(samples.size());
  return resamples(sample_rate_hz) ? resampled_ : samples;
}

std::span<const float> AudioIntake::finish() {
  if (!resamples(sample_rate_hz_)) return {};
  if (!finished_) {
    make_room(resampler_->num_samples_left());
    resampler_->flush(resampled_.data());
    finished_ = true;
  }
  return resampled_;
}

void AudioIntake::reset() {
  if (resampler_) resampler_->reset();
  sample_rate_hz_ = 0;
  num_samples_ = 0;
  finished_ = false;
}

}  // namespace whit
