#include "whit/utf8.h"

#include <cstdint>

namespace whit {

Utf8Character first_character(std::string_view text) {
  constexpr Utf8Character kNone = {.code = 0, .num_bytes = 0};
  const auto byte = [&](size_t i) { return i < text.size() ? uint8_t(text[i]) : uint8_t{0}; };
  const uint8_t first = byte(0);
  if (text.empty()) return kNone;
  if (first < 0x80) return {.code = first, .num_bytes = 1};
  if (first < 0xC2 || first > 0xF4) return kNone;
  const size_t num_bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  char32_t code = first & (0x7F >> num_bytes);
  for (size_t i = 1; i < num_bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return kNone;
    code = code << 6 | (byte(i) & 0x3F);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kLeast[num_bytes] || is_surrogate || code > 0x10FFFF) return kNone;
  return {.code = code, .num_bytes = num_bytes};
}

bool is_control(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x2028 || code == 0x2029;
}

bool is_white_space(char32_t code) {
  return code == ' ' || (code >= 0x09 && code <= 0x0D) || code == 0x85 || code == 0xA0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F ||
         code == 0x205F || code == 0x3000;
}

}  // namespace whit
