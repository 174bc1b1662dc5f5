#include "whit/error.h"

#include <string_view>

#include "whit/utf8.h"

namespace whit {

std::string Error::text() const {
  const std::string raw = "[" + place + "] expected " + expected + ", received " + received;
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < raw.size();) {
    const Utf8Character character = first_character(std::string_view(raw).substr(i));
    if (character.num_bytes > 0 && !is_control(character.code)) {
      out.append(raw, i, character.num_bytes);
      i += character.num_bytes;
    } else {
      const auto byte = static_cast<unsigned char>(raw[i++]);
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

}  // namespace whit
