#pragma once

#include <chrono>

namespace whit::cli {

/// Milliseconds since the first sample was spoken. Computing takes the time it takes. Waiting for audio takes
/// as long as speaking it, paced, or else no time: the clock is set forward (docs/latency.md, section 4).
class AudioClock {
 public:
  explicit AudioClock(bool paced) : paced_(paced), start_(Clock::now()) {}

  double now_ms() const { return std::chrono::duration<double, std::milli>(Clock::now() - start_).count(); }
  void wait_until(double instant_ms);

 private:
  using Clock = std::chrono::steady_clock;

  bool paced_;
  Clock::time_point start_;
};

}  // namespace whit::cli
