#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "whit/json.h"

namespace whit {

/// Returns the object of a `whit.config` of a version that we know. @throws Failure for anything else.
Json parse_config(std::string_view content);

/// One object of a configuration, read with checks: each call throws a Failure that names what is wrong.
class ConfigSection {
 public:
  static constexpr int64_t kLargest = 1 << 16;

  /// @param[in] json   an object that outlives the section.
  /// @param[in] place  begins the messages.
  ConfigSection(const Json& json, std::string place) : json_(json), place_(std::move(place)) {}

  bool has(const char* name) const { return json_.find(name) != nullptr; }
  ConfigSection section(const char* name) const;
  /// Returns the objects of a list.
  std::vector<ConfigSection> sections(const char* name) const;
  const std::string& string(const char* name) const;
  int64_t number(const char* name, int64_t least = 1) const;
  const std::vector<Json>& array(const char* name) const;
  void expect(const char* name, std::string_view expected) const;

  const std::string& place() const { return place_; }

 private:
  const Json& value(const char* name, Json::Kind kind, const char* expected) const;

  const Json& json_;
  std::string place_;
};

/// Returns the name of a model, which is printed as it is.
std::string read_name(const ConfigSection& config);

/// Returns the tokens of a configuration: UTF-8, no white space.
std::vector<std::string> read_tokens(const ConfigSection& config);

}  // namespace whit
