#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace whit {

/// Returns the parts, one after the other, as one string.
template <typename... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream stream;
  (stream << ... << parts);
  return stream.str();
}

/// Throws std::invalid_argument "[place] expected `expected`, received `received`". Borders only, never
/// kernels.
[[noreturn]] inline void fail(std::string_view place, const std::string& expected,
                              const std::string& received) {
  throw std::invalid_argument(text("[", place, "] expected ", expected, ", received ", received));
}

}  // namespace whit
