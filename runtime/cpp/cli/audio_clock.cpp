#include "audio_clock.h"

#include <thread>

namespace whit::cli {

void AudioClock::wait_until(double instant_ms) {
  const std::chrono::duration<double, std::milli> since_start(instant_ms);
  const auto instant = start_ + std::chrono::duration_cast<Clock::duration>(since_start);
  if (paced_) {
    std::this_thread::sleep_until(instant);
  } else if (const auto now = Clock::now(); instant > now) {
    start_ -= instant - now;
  }
}

}  // namespace whit::cli
