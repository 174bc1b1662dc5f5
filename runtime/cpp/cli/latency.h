#pragma once

#include <cstddef>
#include <vector>

namespace whit::cli {

/// What the chunks of a stream took. A percentile is the smallest time that its share of chunks does not
/// exceed (nearest rank); 0 without any.
struct LatencySummary {
  size_t num_chunks;
  size_t num_missed;
  double p50_ms;
  double p90_ms;
  double p99_ms;
};

/// Compute times of the chunks of a stream: 8 bytes a chunk for as long as it lasts (chunks of 60 ms: 12 MB a
/// day), as percentiles are exact.
class Latency {
 public:
  /// @param[in] deadline_ms  the audio of one chunk: a chunk that takes longer is missed.
  explicit Latency(double deadline_ms) : deadline_ms_(deadline_ms) {}

  void add(double compute_ms) { chunks_ms_.push_back(compute_ms); }

  size_t num_chunks() const { return chunks_ms_.size(); }
  LatencySummary summary() const;

 private:
  double deadline_ms_;
  std::vector<double> chunks_ms_;
};

}  // namespace whit::cli
