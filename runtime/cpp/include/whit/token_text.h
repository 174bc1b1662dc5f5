#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "whit/search.h"

namespace whit {

/// Whether a token ends the word before it.
bool starts_word(std::string_view token);

/// Spells the words of a stream token by token, separated by single spaces.
class Speller {
 public:
  /// @param[in] token  its text; SentencePiece's mark begins a word.
  void append(std::string_view token);

  /// Returns the words so far: later ones only follow.
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool word_ended_ = false;
};

/// Returns the words that tokens spell.
/// @param[in] tokens     by id
/// @param[in] emissions  of ids in range.
std::string token_text(const std::vector<std::string>& tokens, std::span<const Emission> emissions);

}  // namespace whit
