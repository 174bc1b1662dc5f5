#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "whit/expected.h"
#include "whit/resample.h"

namespace whit {

/// Takes audio of any rate, checks it, and gives samples at 16 kHz.
class AudioIntake {
 public:
  static constexpr int kSampleRateHz = 16000;
  static constexpr float kMaxMagnitude = 1e5f;  ///< a tenth of what a front-end takes: filters may overshoot

  /// Checks the next samples, in [-1, 1] by convention, and makes the memory to take them. Takes none.
  /// @param[in] sample_rate_hz  from 1000 to 384000, the same in every call; a ratio to 16000 that needs more
  ///                            than Resampler::kMaxTable filter coefficients is refused.
  /// @return how many samples at 16 kHz `accept` will give; or an error for another rate, and for a sample
  ///         that is not finite or beyond kMaxMagnitude.
  Expected<size_t> prepare(int sample_rate_hz, std::span<const float> samples);

  /// Returns how many samples at 16 kHz the audio gives, if it ends after so many more.
  int64_t num_samples_in_all(int sample_rate_hz, size_t num_samples) const;

  /// Takes the samples that `prepare` was just given; nothing is taken where memory runs out. What they go to
  /// needs its memory before: samples that were taken cannot be taken again.
  /// @return samples at 16 kHz, valid until the next call or as long as `samples`.
  std::span<const float> accept(int sample_rate_hz, std::span<const float> samples);

  /// Ends the audio. Returns the last samples at 16 kHz, valid until the next call; called again, the same.
  std::span<const float> finish();

  /// Starts anew; any rate may follow. The tables of the last other rate than 16 kHz are kept.
  void reset();

 private:
  static bool resamples(int sample_rate_hz) { return sample_rate_hz != 0 && sample_rate_hz != kSampleRateHz; }

  void make_room(int64_t num_samples);

  std::optional<Resampler> resampler_;
  int resampler_rate_hz_ = 0;     // 0: none
  std::vector<float> resampled_;  // (n,): of one call
  int64_t num_samples_ = 0;       // taken, at sample_rate_hz_
  int sample_rate_hz_ = 0;        // 0 before the first samples
  bool finished_ = false;
};

}  // namespace whit
