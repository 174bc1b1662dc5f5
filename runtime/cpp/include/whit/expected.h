#pragma once

#include <utility>
#include <variant>

#include "whit/error.h"

namespace whit {

/// A value, or why there is none (std::expected of C++23).
template <typename T>
class Expected {
 public:
  Expected(T value) : content_(std::move(value)) {}
  Expected(Error error) : content_(std::move(error)) {}

  explicit operator bool() const { return std::holds_alternative<T>(content_); }

  /// Must be there.
  T& operator*() { return *std::get_if<T>(&content_); }
  const Error& error() const { return *std::get_if<Error>(&content_); }

 private:
  std::variant<T, Error> content_;
};

}  // namespace whit
