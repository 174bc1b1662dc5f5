#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace whit {

/// Returns a shape as messages show it; a negative length may be any.
inline std::string to_text(const std::vector<int64_t>& shape) {
  std::string out = "(";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i) out += ", ";
    out += shape[i] < 0 ? std::string("any") : std::to_string(shape[i]);
  }
  return out + ")";
}

}  // namespace whit
