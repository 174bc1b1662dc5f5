#include "whit/resample.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "whit/fail.h"
#include "whit/tables.h"

namespace whit {
namespace {

constexpr int kZeroCrossings = 64;
constexpr double kPi = 3.14159265358979323846;
constexpr double kStopBandDb = 90;
constexpr double kKaiserBeta = 0.1102 * (kStopBandDb - 8.7);  // Kaiser 1974, for more than 50 dB
// Half of the transition, as a part of the lower Nyquist frequency: the sinc cuts off in its middle.
constexpr double kHalfTransition = (kStopBandDb - 8) / (2.285 * 2 * kPi * kZeroCrossings) / 2;
constexpr int kLanes = 16;  // partial sums; fixed, as it decides the rounding

void check_rate(const char* name, int rate_hz) {
  if (rate_hz >= Resampler::kMinRateHz && rate_hz <= Resampler::kMaxRateHz) return;
  fail("Resampler", text(name, " from ", Resampler::kMinRateHz, " to ", Resampler::kMaxRateHz),
       text(rate_hz));
}

float dot(const float* taps, const float* samples, int64_t num_taps) {
  float lane[kLanes] = {};
  for (int64_t k = 0; k < num_taps; k += kLanes) {
    for (int l = 0; l < kLanes; ++l) lane[l] += taps[k + l] * samples[k + l];
  }
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int l = 0; l < width; ++l) lane[l] += lane[l + width];
  }
  return lane[0];
}

}  // namespace

Resampler::Resampler(int in_rate_hz, int out_rate_hz) {
  check_rate("in_rate_hz", in_rate_hz);
  check_rate("out_rate_hz", out_rate_hz);
  const int divisor = std::gcd(in_rate_hz, out_rate_hz);
  up_ = out_rate_hz / divisor;
  down_ = in_rate_hz / divisor;
  if (up_ == down_) return;

  // Everything in units of input samples: going down, the filter is wider by down / up.
  const int64_t slower = std::max(up_, down_);
  const int64_t radius = (kZeroCrossings * slower + up_ - 1) / up_;
  half_taps_ = (radius + kLanes / 2 - 1) / (kLanes / 2) * (kLanes / 2);
  num_taps_ = 2 * half_taps_;
  if (up_ * num_taps_ > kMaxTable) {
    fail("Resampler", text("rates whose ratio needs at most ", kMaxTable, " filter coefficients"),
         text(in_rate_hz, " and ", out_rate_hz, " Hz, which need ", up_ * num_taps_));
  }

  const double nyquist = double(up_) / double(slower);  // the lower one, in parts of the input's
  const double cutoff = nyquist * (1 - kHalfTransition);
  taps_.resize(size_t(up_ * num_taps_));
  std::vector<double> row(static_cast<size_t>(num_taps_));
  for (int64_t phase = 0; phase < up_; ++phase) {
    double sum = 0;
    for (int64_t k = 0; k < num_taps_; ++k) {
      // The distance from the output, which lies phase / up after tap half_taps - 1, in steps of 1 / up.
      const int64_t steps = (k - (half_taps_ - 1)) * up_ - phase;
      if (std::abs(steps) >= kZeroCrossings * slower) {
        row[size_t(k)] = 0;
        continue;
      }
      const double t = double(steps) / double(up_);
      const double r = double(steps) / double(kZeroCrossings * slower);
      const double sinc = t == 0 ? cutoff : table_sin(0.5 * cutoff * t) / (kPi * t);
      row[size_t(k)] = sinc * table_bessel_i0(kKaiserBeta * kKaiserBeta * (1 - r * r));
      sum += row[size_t(k)];
    }
    // Each phase has a sum of one: a constant stays that constant. (This also divides by the window's peak.)
    for (int64_t k = 0; k < num_taps_; ++k)
      taps_[size_t(phase * num_taps_ + k)] = float(row[size_t(k)] / sum);
  }
  reset();
}

void Resampler::reset() {
  state_.samples.assign(size_t(std::max<int64_t>(0, half_taps_ - 1)), 0.0f);
  state_ = ResamplerState{.samples = std::move(state_.samples)};
}

int64_t Resampler::num_samples_ready(int64_t num_samples) const {
  // Output n has its filter's last tap on sample floor(n * down / up) + half_taps; it is ready when that one
  // came.
  const int64_t num_in = state_.num_in + num_samples - half_taps_;
  const int64_t total = num_in <= 0 ? 0 : (num_in * up_ + down_ - 1) / down_;
  return total - state_.num_out;
}

int64_t Resampler::num_samples_left() const {
  return state_.finished ? 0 : (state_.num_in * up_ + down_ - 1) / down_ - state_.num_out;
}

void Resampler::process(std::span<const float> samples, float* out) {
  if (state_.finished) {
    throw std::logic_error("[Resampler] expected reset() before more samples, received them after flush()");
  }
  for (size_t i = 0; i < samples.size(); ++i) {
    if (std::isfinite(samples[i])) continue;
    throw std::invalid_argument("[Resampler] expected finite samples, received " +
                                std::to_string(samples[i]) + " at sample " + std::to_string(i));
  }
  const int64_t num_out = num_samples_ready(int64_t(samples.size()));
  if (up_ != down_) state_.samples.insert(state_.samples.end(), samples.begin(), samples.end());
  state_.num_in += int64_t(samples.size());
  if (up_ != down_) return run(num_out, out);
  std::copy(samples.begin(), samples.end(), out);
  state_.num_out += num_out;
}

void Resampler::flush(float* out) {
  const int64_t num_out = num_samples_left();
  state_.samples.insert(state_.samples.end(), size_t(half_taps_), 0.0f);
  state_.finished = true;
  run(num_out, out);
}

void Resampler::run(int64_t num_out, float* out) {
  ResamplerState& s = state_;
  for (int64_t i = 0; i < num_out; ++i) {
    out[i] = dot(taps_.data() + s.phase * num_taps_, s.samples.data() + s.position, num_taps_);
    s.phase += down_;
    s.position += s.phase / up_;
    s.phase %= up_;
  }
  s.num_out += num_out;
  const int64_t num_old = std::min(s.position, int64_t(s.samples.size()));
  s.samples.erase(s.samples.begin(), s.samples.begin() + num_old);
  s.position -= num_old;
}

}  // namespace whit
