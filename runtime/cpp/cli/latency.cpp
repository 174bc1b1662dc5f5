#include "latency.h"

#include <algorithm>
#include <cmath>

namespace whit::cli {
namespace {

double percentile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const size_t rank = size_t(std::ceil(share * double(sorted.size())));
  return sorted[std::max<size_t>(rank, 1) - 1];
}

}  // namespace

LatencySummary Latency::summary() const {
  std::vector<double> sorted = chunks_ms_;
  std::ranges::sort(sorted);
  const auto missed = std::ranges::count_if(sorted, [this](double ms) { return ms > deadline_ms_; });
  return {
      .num_chunks = sorted.size(),
      .num_missed = size_t(missed),
      .p50_ms = percentile(sorted, 0.5),
      .p90_ms = percentile(sorted, 0.9),
      .p99_ms = percentile(sorted, 0.99),
  };
}

}  // namespace whit::cli
