#include "whit/error.h"

#include <cstddef>
#include <string_view>

namespace whit {
namespace {

/// Returns the length of the UTF-8 character at the start of `text`, 0 where there is none or it controls.
size_t printable_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7F ? 1 : 0;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
  const bool outside = (first == 0xED && byte(1) > 0x9F) || (first == 0xF4 && byte(1) > 0x8F);
  return overlong || outside ? 0 : length;
}

}  // namespace

std::string Error::text() const {
  const std::string raw = "[" + place + "] expected " + expected + ", received " + received;
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < raw.size();) {
    const size_t length = printable_length(std::string_view(raw).substr(i));
    if (length > 0) {
      out.append(raw, i, length);
      i += length;
    } else {
      const auto byte = static_cast<unsigned char>(raw[i++]);
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

}  // namespace whit
