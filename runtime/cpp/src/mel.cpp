#include "whit/mel.h"

#include <algorithm>

#include "whit/tables.h"

namespace whit {
namespace {

constexpr double kBinHz = 16000.0 / RealFft512::kNumSamples;

// Slaney's Auditory Toolbox: 15 mel at 1 kHz, then 27 steps for each factor of 6.4.
constexpr double kSlaneyBreakHz = 1000, kSlaneyBreakMel = 15, kSlaneyHzPerMel = 200.0 / 3;
double slaney_step() { return table_log(6.4) / 27; }

double hz_to_mel(MelScale scale, double hz) {
  if (scale == MelScale::kHtk) return 1127 * table_log(1 + hz / 700);
  if (hz < kSlaneyBreakHz) return hz / kSlaneyHzPerMel;
  return kSlaneyBreakMel + table_log(hz / kSlaneyBreakHz) / slaney_step();
}

double slaney_mel_to_hz(double mel) {
  if (mel < kSlaneyBreakMel) return mel * kSlaneyHzPerMel;
  return kSlaneyBreakHz * table_exp((mel - kSlaneyBreakMel) * slaney_step());
}

double triangle(double x, double left, double centre, double right) {
  return std::max(0.0, std::min((x - left) / (centre - left), (right - x) / (right - centre)));
}

}  // namespace

MelBanks::MelBanks(MelScale scale, int num_mels, double low_hz, double high_hz) {
  const double low = hz_to_mel(scale, low_hz);
  const double step = (hz_to_mel(scale, high_hz) - low) / (num_mels + 1);
  for (int i = 0; i < num_mels; ++i) {
    double edge[3];
    for (int j = 0; j < 3; ++j) {
      const double mel = low + step * (i + j);
      edge[j] = scale == MelScale::kSlaney ? slaney_mel_to_hz(mel) : mel;
    }
    Filter filter{0, 0, int(weights_.size())};
    for (int bin = 0; bin < RealFft512::kNumBins; ++bin) {
      const double hz = bin * kBinHz;
      const double x = scale == MelScale::kSlaney ? hz : hz_to_mel(scale, hz);
      double weight = triangle(x, edge[0], edge[1], edge[2]);
      if (weight == 0) continue;
      if (scale == MelScale::kSlaney) weight *= 2 / (edge[2] - edge[0]);
      if (filter.num_bins == 0) filter.first_bin = bin;
      weights_.push_back(float(weight));
      ++filter.num_bins;
    }
    for (; filter.num_bins % 4 != 0; ++filter.num_bins) weights_.push_back(0);
    filters_.push_back(filter);
  }
}

void MelBanks::apply(const float* power, float* energy) const {
  for (const Filter& filter : filters_) {
    const float* bins = power + filter.first_bin;
    const float* weights = weights_.data() + filter.first_weight;
    float lane[4] = {};
    for (int k = 0; k < filter.num_bins; k += 4) {
      for (int l = 0; l < 4; ++l) lane[l] += weights[k + l] * bins[k + l];
    }
    *energy++ = (lane[0] + lane[1]) + (lane[2] + lane[3]);
  }
}

}  // namespace whit
