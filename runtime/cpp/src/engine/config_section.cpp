#include "engine/config_section.h"

#include "whit/fail.h"
#include "whit/utf8.h"

namespace whit {
namespace {

// Returns whether a character of a text, which is UTF-8, is such a one.
template <typename Predicate>
bool has_any(std::string_view text, Predicate is_such) {
  for (size_t i = 0; i < text.size();) {
    const Utf8Character character = first_character(text.substr(i));
    if (is_such(character.code)) return true;
    i += character.num_bytes;
  }
  return false;
}

}  // namespace

Json parse_config(std::string_view content) {
  Json json = Json::parse("whit.config", content);
  if (json.kind != Json::Kind::kObject) fail("whit.config", "an object", "another value");
  const ConfigSection config(json, "whit.config");
  config.expect("format", "whit-checkpoint");
  if (config.number("version") != 1) fail("whit.config", "version 1", text(config.number("version")));
  return json;
}

ConfigSection ConfigSection::section(const char* name) const {
  return ConfigSection(value(name, Json::Kind::kObject, "an object"), text(place_, ".", name));
}

std::vector<ConfigSection> ConfigSection::sections(const char* name) const {
  std::vector<ConfigSection> sections;
  for (const Json& element : array(name)) {
    if (element.kind != Json::Kind::kObject) fail(place_, text("objects in ", name), "another value");
    sections.emplace_back(element, text(place_, ".", name, "[", sections.size(), "]"));
  }
  return sections;
}

const std::string& ConfigSection::string(const char* name) const {
  return value(name, Json::Kind::kString, "a string").string;
}

int64_t ConfigSection::number(const char* name, int64_t least) const {
  const int64_t number = value(name, Json::Kind::kInteger, "a whole number").integer;
  if (number < least || number > kLargest) {
    fail(place_, text(name, " from ", least, " to ", kLargest), text(number));
  }
  return number;
}

const std::vector<Json>& ConfigSection::array(const char* name) const {
  return value(name, Json::Kind::kArray, "a list").elements;
}

void ConfigSection::expect(const char* name, std::string_view expected) const {
  if (string(name) != expected) fail(place_, text(name, " ", expected), string(name));
}

const Json& ConfigSection::value(const char* name, Json::Kind kind, const char* expected) const {
  const Json* found = json_.find(name);
  if (!found || found->kind != kind) {
    fail(place_, text(expected, " ", name), found ? "a value of another type" : "none");
  }
  return *found;
}

std::string read_name(const ConfigSection& config) {
  const std::string& name = config.string("name");
  if (has_any(name, is_control)) fail(config.place(), "a name without control characters", name);
  return name;
}

std::vector<std::string> read_tokens(const ConfigSection& config) {
  const std::vector<Json>& values = config.array("tokens");
  if (values.empty() || int64_t(values.size()) >= ConfigSection::kLargest) {
    fail(config.place(), text("from 1 to ", ConfigSection::kLargest - 1, " tokens"), text(values.size()));
  }
  std::vector<std::string> tokens;
  for (const Json& value : values) {
    // White space would make texts ambiguous.
    const auto is_unfit = [](char32_t code) { return is_control(code) || is_white_space(code); };
    if (value.kind != Json::Kind::kString || value.string.empty() || has_any(value.string, is_unfit)) {
      fail(config.place(), "tokens of visible characters", text("another one at ", tokens.size()));
    }
    tokens.push_back(value.string);
  }
  return tokens;
}

}  // namespace whit
