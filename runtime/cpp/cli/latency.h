#pragma once

#include <cstddef>
#include <vector>

namespace whit::cli {

/// Compute times of the chunks of a stream.
class Latency {
 public:
  /// @param[in] deadline_ms  the audio of one chunk: a chunk that takes longer is missed.
  explicit Latency(double deadline_ms) : deadline_ms_(deadline_ms) {}

  void add(double compute_ms) { chunks_ms_.push_back(compute_ms); }

  size_t num_chunks() const { return chunks_ms_.size(); }
  size_t num_missed() const;
  double total_ms() const;
  /// Returns the smallest time that the given share of chunks does not exceed (nearest rank); 0 without any.
  /// @param[in] share  in (0, 1]
  double percentile_ms(double share) const;

 private:
  double deadline_ms_;
  std::vector<double> chunks_ms_;
};

}  // namespace whit::cli
