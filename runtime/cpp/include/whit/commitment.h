#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "whit/search.h"

namespace whit {

/// How many tokens of a stream make words that nothing follows any more. A word counts as committed when the
/// next one begins, or kCommitAfterMs after its last token: longer than the pause within a word, shorter than
/// anybody waits. What was committed stays so.
class Commitment {
 public:
  static constexpr int64_t kCommitAfterMs = 400;

  /// @param[in] tokens      by id
  /// @param[in] emissions   all of the stream
  /// @param[in] num_frames  decoded since its start
  /// @param[in] frame_ms    audio of a frame
  void update(const std::vector<std::string>& tokens, std::span<const Emission> emissions, int64_t num_frames,
              int64_t frame_ms);

  size_t num_tokens() const { return num_tokens_; }

 private:
  size_t num_tokens_ = 0;
};

}  // namespace whit
