#pragma once

#include <cstdint>

namespace whit {

/// An utterance ends after so much time without a new token.
struct EndpointRule {
  int64_t after_word_ms = 800;
  int64_t without_word_ms = 2400;

  /// Whether so much time without a token, after one or at the start, ends an utterance.
  bool has_ended(int64_t silence_ms, bool after_token) const {
    return silence_ms >= (after_token ? after_word_ms : without_word_ms);
  }
};

}  // namespace whit
