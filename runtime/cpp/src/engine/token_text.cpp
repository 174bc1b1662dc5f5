#include "whit/token_text.h"

namespace whit {
namespace {

constexpr std::string_view kWordStart = "\u2581";  // SentencePiece's mark for a space before the token

}  // namespace

bool starts_word(std::string_view token) { return token.starts_with(kWordStart); }

void Speller::append(std::string_view token) {
  while (!token.empty()) {
    if (starts_word(token)) {
      word_ended_ = !text_.empty();
      token.remove_prefix(kWordStart.size());
    } else {
      if (word_ended_) text_ += ' ';
      word_ended_ = false;
      text_ += token.front();
      token.remove_prefix(1);
    }
  }
}

std::string token_text(const std::vector<std::string>& tokens, std::span<const Emission> emissions) {
  Speller speller;
  for (const Emission& emission : emissions) speller.append(tokens[size_t(emission.token)]);
  return speller.text();
}

}  // namespace whit
