#pragma once

#include <span>
#include <string>
#include <vector>

#include "whit/search.h"

namespace whit {

/// Returns the words that tokens spell, separated by single spaces.
/// @param[in] tokens     by id; SentencePiece's mark begins a word.
/// @param[in] emissions  of ids in range.
std::string token_text(const std::vector<std::string>& tokens, std::span<const Emission> emissions);

}  // namespace whit
