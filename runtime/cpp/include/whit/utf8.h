#pragma once

#include <cstddef>
#include <string_view>

namespace whit {

/// A character of a text in UTF-8.
struct Utf8Character {
  char32_t code;
  size_t num_bytes;  ///< 0 where there is none: shortest forms only, no surrogate, at most U+10FFFF
};

/// Returns the first character of a text; of an empty one, none.
Utf8Character first_character(std::string_view text);

/// Returns whether a character ends a line or commands a terminal: the categories Cc, Zl and Zp of Unicode.
bool is_control(char32_t code);

/// Returns whether a character is white space (Unicode's property White_Space).
bool is_white_space(char32_t code);

}  // namespace whit
