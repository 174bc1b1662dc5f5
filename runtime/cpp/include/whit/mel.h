#pragma once

#include <vector>

#include "whit/fft.h"

namespace whit {

enum class MelScale {
  kSlaney,  ///< linear below 1 kHz, logarithmic above; triangles of unit area (librosa, NeMo)
  kHtk,     ///< 1127 ln(1 + f / 700); triangles of unit height, straight in mel (HTK, Kaldi)
};

/// Triangular filters over the power spectrum of a 512-point transform at 16 kHz. Only the bins inside each
/// triangle are kept.
class MelBanks {
 public:
  static constexpr int kMaxNumMels = 256;

  /// Floats of a power spectrum as `apply` reads it: the 257 bins, then zeros.
  static constexpr int kPaddedBins = RealFft512::kNumBins + 7;

  /// @param[in] num_mels  in [1, 256].
  MelBanks(MelScale scale, int num_mels, double low_hz, double high_hz);

  int num_mels() const { return int(filters_.size()); }

  /// @param[in]  power   (kPaddedBins,), the last 7 values finite (their weight is 0).
  /// @param[out] energy  (num_mels,)
  void apply(const float* power, float* energy) const;

 private:
  struct Filter {
    int first_bin;
    int num_bins;  ///< a multiple of 4
    int first_weight;
  };
  std::vector<Filter> filters_;  // (num_mels,)
  std::vector<float> weights_;   // (sum of num_bins,)
};

}  // namespace whit
