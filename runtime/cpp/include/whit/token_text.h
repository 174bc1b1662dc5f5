#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "whit/search.h"

namespace whit {

/// Whether a token ends the word before it.
bool starts_word(std::string_view token);

/// Returns the words that tokens spell, separated by single spaces.
/// @param[in] tokens     by id; SentencePiece's mark begins a word.
/// @param[in] emissions  of ids in range.
std::string token_text(const std::vector<std::string>& tokens, std::span<const Emission> emissions);

}  // namespace whit
