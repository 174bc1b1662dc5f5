#include "whit/commitment.h"

#include <algorithm>

#include "whit/token_text.h"

namespace whit {

void Commitment::update(const std::vector<std::string>& tokens, std::span<const Emission> emissions,
                        int64_t num_frames, int64_t frame_ms) {
  if (emissions.empty()) return;
  const int64_t commit_after_frames = std::max<int64_t>(1, (kCommitAfterMs + frame_ms - 1) / frame_ms);
  if (num_frames - 1 - emissions.back().frame >= commit_after_frames) {
    num_tokens_ = emissions.size();
    return;
  }
  for (size_t at = emissions.size(); at-- > num_tokens_ + 1;) {
    if (starts_word(tokens[size_t(emissions[at].token)])) {
      num_tokens_ = at;
      return;
    }
  }
}

}  // namespace whit
