#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "whit/fft.h"
#include "whit/mel.h"

namespace whit {

/// What a whole-utterance model says about its front-end (docs/format.md, section 7, `nemo_offline`).
struct OfflineFrontend {
  int num_mels = 64;        ///< in [1, 256]
  int window_ms = 20;       ///< in [1, 32]
  bool per_feature = true;  ///< each mel of an utterance is brought to mean 0 and deviation 1
};

/// Log-mel features of whole utterances at 16 kHz, a frame every 10 ms, centred on its time.
class OfflineFbank {
 public:
  static constexpr int kSampleRateHz = 16000;
  static constexpr int kFrameShift = 160;  // samples: 10 ms
  static constexpr int kMaxWindowMs = RealFft512::kNumSamples * 1000 / kSampleRateHz;
  /// The reflected edges need one sample more than half a transform.
  static constexpr int64_t kMinNumSamples = RealFft512::kNumSamples / 2 + 1;
  /// Larger samples are refused, so that no energy overflows.
  static constexpr float kMaxMagnitude = 1e6f;

  /// Anything outside the ranges of OfflineFrontend throws std::invalid_argument.
  explicit OfflineFbank(const OfflineFrontend& frontend);

  int num_mels() const { return mel_.num_mels(); }
  static int64_t num_frames(int64_t num_samples) { return num_samples / kFrameShift + 1; }

  /// Computes the features of one utterance.
  /// @param[in]  samples   in [-1, 1] by convention. Fewer than kMinNumSamples, or one that is not finite or
  ///                       exceeds kMaxMagnitude, throws std::invalid_argument.
  /// @param[out] features  (num_frames(samples.size()), num_mels())
  void compute(std::span<const float> samples, float* features) const;

 private:
  void compute_frame(std::span<const float> samples, int64_t frame, float* features) const;
  void normalize(int64_t num_frames, float* features) const;

  bool per_feature_;
  std::vector<float> window_;  // (window_ms * 16,): symmetric Hann
  RealFft512 fft_;
  MelBanks mel_;
};

}  // namespace whit
