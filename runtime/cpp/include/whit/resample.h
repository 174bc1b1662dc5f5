#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace whit {

/// All that a resampler remembers between calls.
struct ResamplerState {
  std::vector<float>
      samples;           // (n,): the input under the filter and after it; starts with half a filter of zeros
  int64_t num_in = 0;    // accepted since the start of the stream
  int64_t num_out = 0;   // given since the start of the stream
  int64_t position = 0;  // samples[position] is the first one under the filter of the next output
  int64_t phase = 0;     // of the next output, in steps of 1 / up input samples
  bool finished = false;
};

/// Streaming polyphase resampler for any rational ratio: a sinc windowed by Kaiser's window.
///
/// Output n is the input's band-limited value at time n / out_rate_hz, so that there is no delay to correct;
/// the stream is zero before its first and after its last sample. N input samples give ceil(N * out / in) in
/// all, the same bits for every cut into calls. Equal rates pass samples through.
///
/// The filter spans 64 zero crossings of the lower rate to each side (4 ms at 16 kHz). Kaiser's formula gives
/// a transition of (90 - 8) / (2.285 * 2 pi * 64) = 0.0892 Nyquist for a stop band of -90 dB; the transition
/// ends at the lower Nyquist, so nothing above it folds back, and everything below 0.91 of it (7.3 kHz of 8)
/// passes.
class Resampler {
 public:
  static constexpr int kMinRateHz = 1000;
  static constexpr int kMaxRateHz = 384000;

  /// Filter coefficients at most (4 MiB): the rates of audio hardware need far fewer, a ratio such as 44101 :
  /// 16000 has no short table and is refused.
  static constexpr int64_t kMaxTable = int64_t{1} << 20;

  /// Throws Failure (fail.h) for a rate outside [kMinRateHz, kMaxRateHz] or a ratio beyond kMaxTable.
  Resampler(int in_rate_hz, int out_rate_hz);

  /// Samples that `process` gives for `num_samples` more, or `flush` for none: the size of their output.
  int64_t num_samples_ready(int64_t num_samples) const;
  int64_t num_samples_left() const;

  /// @param[in]  samples  finite; otherwise std::invalid_argument, and the stream stays as it was. After
  /// `flush`:
  ///                      std::logic_error.
  /// @param[out] out      (num_samples_ready(samples.size()),)
  void process(std::span<const float> samples, float* out);

  /// Ends the stream.
  /// @param[out] out  (num_samples_left(),)
  void flush(float* out);

  /// Starts a new stream in the same memory.
  void reset();

 private:
  void run(int64_t num_out, float* out);

  int64_t up_;               // out / gcd
  int64_t down_;             // in / gcd
  int64_t half_taps_ = 0;    // input samples to each side of an output
  int64_t num_taps_ = 0;     // 2 * half_taps_, a multiple of 16
  std::vector<float> taps_;  // (up, num_taps)
  ResamplerState state_;
};

}  // namespace whit
