#include "whit/token_text.h"

namespace whit {
namespace {

constexpr std::string_view kWordStart = "\u2581";  // SentencePiece's mark for a space before the token

}  // namespace

bool starts_word(std::string_view token) { return token.starts_with(kWordStart); }

std::string token_text(const std::vector<std::string>& tokens, std::span<const Emission> emissions) {
  std::string words;
  for (const Emission& emission : emissions) {
    const std::string_view token = tokens[size_t(emission.token)];
    for (size_t at = 0; at < token.size();) {
      if (token.substr(at).starts_with(kWordStart)) {
        if (!words.empty() && words.back() != ' ') words += ' ';
        at += kWordStart.size();
      } else {
        words += token[at++];
      }
    }
  }
  if (words.ends_with(' ')) words.pop_back();
  return words;
}

}  // namespace whit
