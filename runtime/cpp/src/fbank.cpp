#include "whit/fbank.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "whit/log.h"
#include "whit/make_room.h"
#include "whit/tables.h"

namespace whit {
namespace {

constexpr int kLeft = (Fbank::kFrameLength - Fbank::kFrameShift) / 2;  // frame t starts at 160 t - 120
constexpr float kFloor = 1.1920929e-7f;                                // 2^-23, the epsilon of float32
constexpr float kPreEmphasis = 0.97f;

MelBanks make_mel(FbankFlavour flavour, int num_mels) {
  if (num_mels < 1 || num_mels > MelBanks::kMaxNumMels) {
    throw std::invalid_argument("[Fbank] expected num_mels from 1 to " +
                                std::to_string(MelBanks::kMaxNumMels) + ", received " +
                                std::to_string(num_mels));
  }
  if (flavour == FbankFlavour::kNemo) return MelBanks(MelScale::kSlaney, num_mels, 0, 8000);
  return MelBanks(MelScale::kHtk, num_mels, 20, 7600);
}

float mean(const float* window) {
  constexpr int kLanes = 8;
  static_assert(Fbank::kFrameLength % kLanes == 0);
  float lane[kLanes] = {};
  for (int i = 0; i < Fbank::kFrameLength; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) lane[l] += window[i + l];
  }
  const float sum = ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
  return sum / float(Fbank::kFrameLength);
}

}  // namespace

FbankFlavour fbank_flavour(std::string_view name) {
  if (name == "nemo") return FbankFlavour::kNemo;
  if (name == "kaldi") return FbankFlavour::kKaldi;
  throw std::invalid_argument("[Fbank] expected flavour \"nemo\" or \"kaldi\", received \"" +
                              std::string(name) + "\"");
}

Fbank::Fbank(FbankFlavour flavour, int num_mels)
    : remove_dc_(flavour == FbankFlavour::kKaldi), mel_(make_mel(flavour, num_mels)) {
  // Periodic Hann; or Povey's window, the symmetric Hann to the power 0.85.
  const int period = flavour == FbankFlavour::kNemo ? kFrameLength : kFrameLength - 1;
  for (int i = 0; i < kFrameLength; ++i) {
    const double hann = 0.5 - 0.5 * table_cos(double(i) / period);
    const bool edge = i % period == 0;
    window_[i] =
        edge ? 0.0f : float(flavour == FbankFlavour::kNemo ? hann : table_exp(0.85 * table_log(hann)));
  }
}

void Fbank::accept_waveform(std::span<const float> samples) {
  if (state_.finished)
    throw std::logic_error("[Fbank] expected reset() before more samples, received them after the end");
  for (size_t i = 0; i < samples.size(); ++i) {
    if (std::abs(samples[i]) <= kMaxMagnitude) continue;  // false for NaN
    const std::string expected =
        std::isfinite(samples[i]) ? "samples of magnitude up to 1e6" : "finite samples";
    throw std::invalid_argument("[Fbank] expected " + expected + ", received " + std::to_string(samples[i]) +
                                " at sample " + std::to_string(i));
  }
  make_room(samples.size());
  state_.samples.insert(state_.samples.end(), samples.begin(), samples.end());
  state_.num_samples += int64_t(samples.size());
}

void Fbank::make_room(size_t num_samples) {
  // Frames that were read need no samples any more. Moving the rest only when it is the smaller part keeps
  // the cost of long input linear.
  const int64_t needed_from = std::max<int64_t>(0, state_.next_frame * kFrameShift - kLeft);
  const int64_t num_old =
      std::min<int64_t>(needed_from - state_.first_sample, int64_t(state_.samples.size()));
  if (2 * num_old >= int64_t(state_.samples.size())) {
    state_.samples.erase(state_.samples.begin(), state_.samples.begin() + num_old);
    state_.first_sample += num_old;
  }
  whit::make_room(state_.samples, num_samples);
}

int64_t Fbank::num_frames_ready() const {
  constexpr int kRight = kFrameLength - kLeft;  // samples that a frame needs from 160 t on
  const int64_t n = state_.num_samples;
  const int64_t total = state_.finished ? (n + kFrameShift / 2) / kFrameShift
                        : n < kRight    ? 0
                                        : (n - kRight) / kFrameShift + 1;
  return total - state_.next_frame;
}

void Fbank::read(int64_t num_frames, float* features) {
  if (num_frames < 0 || num_frames > num_frames_ready()) {
    throw std::invalid_argument("[Fbank] expected from 0 to " + std::to_string(num_frames_ready()) +
                                " frames to read, received " + std::to_string(num_frames));
  }
  alignas(64) float window[RealFft512::kNumSamples];
  for (int64_t i = 0; i < num_frames; ++i) {
    copy_frame(state_.next_frame++, window);
    compute(window, features + i * num_mels());
  }
}

void Fbank::copy_frame(int64_t frame, float* window) const {
  const int64_t start = frame * kFrameShift - kLeft;
  const int64_t n = state_.num_samples;
  if (start >= 0 && start + kFrameLength <= n) {
    std::copy_n(state_.samples.data() + (start - state_.first_sample), kFrameLength, window);
    return;
  }
  // Reflections never reach before `start` except in frame 0, when all samples are still there.
  for (int i = 0; i < kFrameLength; ++i) {
    int64_t at = start + i;
    while (at < 0 || at >= n) at = at < 0 ? -1 - at : 2 * n - 1 - at;
    window[i] = state_.samples[at - state_.first_sample];
  }
}

void Fbank::compute(float* window, float* features) const {
  if (remove_dc_) {
    const float offset = mean(window);
    for (int i = 0; i < kFrameLength; ++i) window[i] -= offset;
  }
  alignas(64) float shaped[RealFft512::kNumSamples];
  shaped[0] = 0;  // 0.03 * window[0] * window_[0], and both windows start with 0
  for (int i = 1; i < kFrameLength; ++i) shaped[i] = (window[i] - kPreEmphasis * window[i - 1]) * window_[i];
  std::fill(shaped + kFrameLength, shaped + RealFft512::kNumSamples, 0.0f);

  alignas(64) float power[MelBanks::kPaddedBins];
  fft_.power_spectrum(shaped, power);
  std::fill(power + RealFft512::kNumBins, power + MelBanks::kPaddedBins, 0.0f);
  mel_.apply(power, features);
  for (int m = 0; m < num_mels(); ++m) features[m] = log(features[m] > kFloor ? features[m] : kFloor);
}

}  // namespace whit
