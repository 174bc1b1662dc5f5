#pragma once

#include <array>

namespace whit {

/// Power spectrum of 512 real samples, in float32 with one fixed order of operations.
///
/// The samples are seen as 256 complex numbers, transformed by four radix-4 Stockham passes (no bit reversal,
/// so that inner loops run over contiguous memory), then separated into the 257 bins of the real transform.
class RealFft512 {
 public:
  static constexpr int kNumSamples = 512;
  static constexpr int kNumBins = 257;

  RealFft512();

  /// @param[in]  samples  (512,)
  /// @param[out] power    (257,): |X[k]|^2. Must not overlap `samples`.
  void power_spectrum(const float* samples, float* power) const;

 private:
  static constexpr int kPoints = kNumSamples / 2;

  // Pass of length n = 256, 64, 16, 4: for p < n / 4 the three factors w^p, w^2p, w^3p, w = exp(-2 pi i / n).
  static constexpr int kNumTwiddles = 64 + 16 + 4 + 1;
  std::array<float, 3 * kNumTwiddles> twiddle_re_;  // (85, 3)
  std::array<float, 3 * kNumTwiddles> twiddle_im_;  // (85, 3)
  std::array<float, kPoints / 2> split_re_;         // (128,): cos(2 pi k / 512)
  std::array<float, kPoints / 2> split_im_;         // (128,): -sin(2 pi k / 512)
};

}  // namespace whit
