#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "whit/error.h"

namespace whit {

/// An `Error` on its way to the border that turns it into a value, a status or a Python exception.
class Failure : public std::invalid_argument {
 public:
  explicit Failure(Error error) : std::invalid_argument(error.text()), error_(std::move(error)) {}

  const Error& error() const { return error_; }

 private:
  Error error_;
};

/// Returns the parts, one after the other, as one string.
template <typename... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream stream;
  (stream << ... << parts);
  return stream.str();
}

/// Throws a Failure "[place] expected `expected`, received `received`". Borders only, never kernels.
[[noreturn]] inline void fail(std::string_view place, const std::string& expected,
                              const std::string& received) {
  throw Failure({.place = std::string(place), .expected = expected, .received = received});
}

}  // namespace whit
