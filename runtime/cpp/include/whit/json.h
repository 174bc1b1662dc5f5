#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace whit {

/// A value of strict JSON (RFC 8259): UTF-8, no duplicate names, no lone surrogates, at most 32 levels
/// deep and 2^18 values.
struct Json {
  enum class Kind { kNull, kBool, kInteger, kReal, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  bool boolean = false;
  int64_t integer = 0;      ///< a number without fraction and exponent that fits; every other number is kReal
  std::string string = {};  ///< UTF-8
  std::vector<Json> elements = {};
  std::vector<std::pair<std::string, Json>> members = {};

  /// Returns a member of an object, or null.
  const Json* find(std::string_view name) const;

  /// @throws Failure that names the byte of the first defect.
  static Json parse(std::string_view place, std::string_view text);
};

}  // namespace whit
