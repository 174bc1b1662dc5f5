#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "audio_clock.h"

namespace whit::cli {

/// One chunk on the clock, in milliseconds since the first sample was spoken.
struct ChunkTiming {
  double ready_ms;    ///< the block of audio that completed it was spoken
  double start_ms;    ///< work on it began
  double emit_ms;     ///< its text was there
  size_t num_tokens;  ///< of the text so far
  bool is_flush;      ///< completed by the end of the input
};

/// The chunks of a recording, where they are asked for: user-perceived latency is computed from them.
class ChunkLog {
 public:
  ChunkLog(const AudioClock& clock, bool is_kept) : clock_(clock), is_kept_(is_kept) {}

  bool is_kept() const { return is_kept_; }
  std::span<const ChunkTiming> chunks() const { return chunks_; }

  /// Work begins on audio that is there now.
  void begin(double ready_ms, bool is_flush) {
    ready_ms_ = ready_ms;
    is_flush_ = is_flush;
    start_ms_ = clock_.now_ms();
  }

  /// A chunk's text is there; what follows of the same audio begins now.
  void add(size_t num_tokens) {
    const double emit_ms = clock_.now_ms();
    chunks_.push_back({ready_ms_, start_ms_, emit_ms, num_tokens, is_flush_});
    start_ms_ = emit_ms;
  }

 private:
  const AudioClock& clock_;
  bool is_kept_;
  bool is_flush_ = false;
  double ready_ms_ = 0;
  double start_ms_ = 0;
  std::vector<ChunkTiming> chunks_;
};

}  // namespace whit::cli
