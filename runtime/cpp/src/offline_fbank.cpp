#include "whit/offline_fbank.h"

#include <algorithm>
#include <cmath>

#include "whit/fail.h"
#include "whit/log.h"
#include "whit/tables.h"

namespace whit {
namespace {

constexpr float kPreEmphasis = 0.97f;
constexpr float kGuard = 5.9604645e-8f;      // 2^-24, added to every energy
constexpr double kSmallestDeviation = 1e-5;  // added to every deviation

const OfflineFrontend& checked(const OfflineFrontend& frontend) {
  if (frontend.num_mels < 1 || frontend.num_mels > MelBanks::kMaxNumMels) {
    fail("OfflineFbank", text("num_mels from 1 to ", MelBanks::kMaxNumMels), text(frontend.num_mels));
  }
  if (frontend.window_ms < 1 || frontend.window_ms > OfflineFbank::kMaxWindowMs) {
    fail("OfflineFbank", text("window_ms from 1 to ", OfflineFbank::kMaxWindowMs), text(frontend.window_ms));
  }
  return frontend;
}

// Pre-emphasis of a whole signal, of which nothing lies before the first sample.
float emphasized(std::span<const float> samples, int64_t at) {
  return at == 0 ? samples[0] : samples[size_t(at)] - kPreEmphasis * samples[size_t(at - 1)];
}

}  // namespace

OfflineFbank::OfflineFbank(const OfflineFrontend& frontend)
    : per_feature_(checked(frontend).per_feature),
      window_(size_t(frontend.window_ms * (kSampleRateHz / 1000))),
      mel_(MelScale::kSlaney, frontend.num_mels, 0, kSampleRateHz / 2) {
  const double period = double(window_.size() - 1);
  for (size_t i = 0; i < window_.size(); ++i) {
    window_[i] = float(0.5 - 0.5 * table_cos(double(i) / period));
  }
}

void OfflineFbank::compute(std::span<const float> samples, float* features) const {
  if (int64_t(samples.size()) < kMinNumSamples) {
    fail("OfflineFbank", text("at least ", kMinNumSamples, " samples"), text(samples.size()));
  }
  const auto bad = std::ranges::find_if(samples, [](float x) { return !(std::fabs(x) <= kMaxMagnitude); });
  if (bad != samples.end()) {
    fail("OfflineFbank", text("samples of magnitude up to ", kMaxMagnitude),
         text(*bad, " at sample ", bad - samples.begin()));
  }
  const int64_t count = num_frames(int64_t(samples.size()));
  for (int64_t frame = 0; frame < count; ++frame) {
    compute_frame(samples, frame, features + frame * num_mels());
  }
  if (per_feature_) normalize(count, features);
}

void OfflineFbank::compute_frame(std::span<const float> samples, int64_t frame, float* features) const {
  const int64_t length = int64_t(window_.size());
  const int64_t left = (RealFft512::kNumSamples - length) / 2;  // zeros before the window
  const int64_t start = frame * kFrameShift - RealFft512::kNumSamples / 2 + left;
  const int64_t n = int64_t(samples.size());
  alignas(64) float shaped[RealFft512::kNumSamples] = {};
  if (start > 0 && start + length <= n) {
    const float* x = samples.data() + start;
    for (int64_t i = 0; i < length; ++i) {
      shaped[left + i] = (x[i] - kPreEmphasis * x[i - 1]) * window_[size_t(i)];
    }
  } else {
    for (int64_t i = 0; i < length; ++i) {
      int64_t at = start + i;
      if (at < 0) at = -at;
      if (at >= n) at = 2 * (n - 1) - at;
      shaped[left + i] = emphasized(samples, at) * window_[size_t(i)];
    }
  }
  alignas(64) float power[MelBanks::kPaddedBins];
  fft_.power_spectrum(shaped, power);
  std::fill(power + RealFft512::kNumBins, power + MelBanks::kPaddedBins, 0.0f);
  mel_.apply(power, features);
  for (int m = 0; m < num_mels(); ++m) features[m] = log(features[m] + kGuard);
}

void OfflineFbank::normalize(int64_t num_frames, float* features) const {
  const size_t mels = size_t(num_mels());
  std::vector<double> mean(mels), deviation(mels);
  const auto accumulate = [&](std::vector<double>& sums, auto term) {
    for (int64_t t = 0; t < num_frames; ++t) {
      for (size_t m = 0; m < mels; ++m) sums[m] += term(double(features[size_t(t) * mels + m]), m);
    }
  };
  accumulate(mean, [](double x, size_t) { return x; });
  for (double& sum : mean) sum /= double(num_frames);
  accumulate(deviation, [&](double x, size_t m) { return (x - mean[m]) * (x - mean[m]); });
  for (double& sum : deviation) sum = std::sqrt(sum / double(num_frames - 1)) + kSmallestDeviation;
  for (int64_t t = 0; t < num_frames; ++t) {
    for (size_t m = 0; m < mels; ++m) {
      float& x = features[size_t(t) * mels + m];
      x = float((double(x) - mean[m]) / deviation[m]);
    }
  }
}

}  // namespace whit
