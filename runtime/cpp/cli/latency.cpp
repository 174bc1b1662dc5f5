#include "latency.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace whit::cli {

size_t Latency::num_missed() const {
  return size_t(std::ranges::count_if(chunks_ms_, [this](double ms) { return ms > deadline_ms_; }));
}

double Latency::total_ms() const { return std::accumulate(chunks_ms_.begin(), chunks_ms_.end(), 0.0); }

double Latency::percentile_ms(double share) const {
  if (chunks_ms_.empty()) return 0;
  std::vector<double> sorted = chunks_ms_;
  std::ranges::sort(sorted);
  const size_t rank = size_t(std::ceil(share * double(sorted.size())));
  return sorted[std::max<size_t>(rank, 1) - 1];
}

}  // namespace whit::cli
