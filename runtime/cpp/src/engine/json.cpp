#include "whit/json.h"

#include <algorithm>
#include <charconv>

#include "whit/fail.h"
#include "whit/utf8.h"

namespace whit {
namespace {

constexpr int kMaxDepth = 32;
constexpr size_t kMaxValues = 1 << 18;  // bounds the memory that a hostile text can ask for

class Parser {
 public:
  Parser(std::string_view place, std::string_view text) : place_(place), text_(text) {}

  Json document() {
    Json value = parse_value(0);
    skip_space();
    if (at_ != text_.size()) refuse("the end of the text");
    return value;
  }

 private:
  [[noreturn]] void refuse(const std::string& expected) const {
    fail(place_, text("JSON with ", expected, " at byte ", at_),
         at_ < text_.size() ? "something else" : "the end");
  }

  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  bool accept(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void expect(std::string_view word) {
    skip_space();
    if (!accept(word)) refuse(std::string(word));
  }

  Json parse_value(int depth) {
    if (depth > kMaxDepth) refuse(text("at most ", kMaxDepth, " levels"));
    if (++num_values_ > kMaxValues) refuse(text("at most ", kMaxValues, " values"));
    skip_space();
    if (accept("{")) return parse_object(depth);
    if (accept("[")) return parse_array(depth);
    if (accept("\"")) return {.kind = Json::Kind::kString, .string = parse_string()};
    if (accept("true")) return {.kind = Json::Kind::kBool, .boolean = true};
    if (accept("false")) return {.kind = Json::Kind::kBool};
    if (accept("null")) return {};
    return parse_number();
  }

  Json parse_object(int depth) {
    Json object{.kind = Json::Kind::kObject};
    skip_space();
    if (accept("}")) return object;
    do {
      expect("\"");
      std::string name = parse_string();
      expect(":");
      object.members.emplace_back(std::move(name), parse_value(depth + 1));
      skip_space();
    } while (accept(","));
    expect("}");
    check_names(object);
    return object;
  }

  void check_names(const Json& object) const {
    std::vector<std::string_view> names;
    for (const auto& member : object.members) names.push_back(member.first);
    std::ranges::sort(names);
    const auto twice = std::ranges::adjacent_find(names);
    if (twice != names.end()) fail(place_, "each name once", text('"', *twice, "\" again"));
  }

  Json parse_array(int depth) {
    Json array{.kind = Json::Kind::kArray};
    skip_space();
    if (accept("]")) return array;
    do {
      array.elements.push_back(parse_value(depth + 1));
      skip_space();
    } while (accept(","));
    expect("]");
    return array;
  }

  size_t skip_digits() {
    const size_t start = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ - start;
  }

  Json parse_number() {
    const size_t start = at_;
    accept("-");
    const bool zero = text_.substr(at_).starts_with('0');
    const size_t num_digits = skip_digits();
    if (num_digits == 0) refuse("a value");
    if (zero && num_digits > 1) refuse("a number without leading zeros");
    bool real = false;
    if (accept(".")) {
      real = true;
      if (skip_digits() == 0) refuse("digits");
    }
    if (accept("e") || accept("E")) {
      real = true;
      if (!accept("-")) accept("+");
      if (skip_digits() == 0) refuse("digits");
    }
    if (real) return {.kind = Json::Kind::kReal};
    Json number{.kind = Json::Kind::kInteger};
    const auto result = std::from_chars(text_.data() + start, text_.data() + at_, number.integer);
    if (result.ec != std::errc{}) number.kind = Json::Kind::kReal;
    return number;
  }

  uint32_t parse_hex4() {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = at_ < text_.size() ? text_[at_] : 0;
      const bool letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
      if (!letter && !(c >= '0' && c <= '9')) refuse("four hexadecimal digits");
      value = value * 16 + uint32_t(letter ? (c | 32) - 'a' + 10 : c - '0');
    }
    return value;
  }

  void parse_escape(std::string& out) {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const size_t letter = at_ < text_.size() ? kLetters.find(text_[at_]) : std::string_view::npos;
    if (letter != std::string_view::npos) {
      out += kMeanings[letter];
      ++at_;
      return;
    }
    if (!accept("u")) refuse("an escape");
    uint32_t code = parse_hex4();
    if (code >= 0xD800 && code < 0xDC00) {
      if (!accept("\\u")) refuse("the second half of a surrogate pair");
      const uint32_t low = parse_hex4();
      if (low < 0xDC00 || low > 0xDFFF) refuse("the second half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
      refuse("the first half of a surrogate pair");
    }
    append_utf8(code, out);
  }

  static void append_utf8(uint32_t code, std::string& out) {
    if (code < 0x80) {
      out += char(code);
      return;
    }
    constexpr uint32_t kLead[] = {0, 0xC0, 0xE0, 0xF0};
    const int num_more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    out += char(kLead[num_more] | code >> 6 * num_more);
    for (int i = num_more - 1; i >= 0; --i) out += char(0x80 | (code >> 6 * i & 0x3F));
  }

  void copy_utf8(std::string& out) {
    const size_t num_bytes = first_character(text_.substr(at_)).num_bytes;
    if (num_bytes == 0) refuse("UTF-8");
    out.append(text_.substr(at_, num_bytes));
    at_ += num_bytes;
  }

  std::string parse_string() {
    std::string out;
    while (true) {
      if (accept("\"")) return out;
      if (accept("\\")) {
        parse_escape(out);
      } else if (at_ >= text_.size() || uint8_t(text_[at_]) < 0x20) {
        refuse("a character of a string");
      } else {
        copy_utf8(out);
      }
    }
  }

  std::string_view place_;
  std::string_view text_;
  size_t at_ = 0;
  size_t num_values_ = 0;
};

}  // namespace

const Json* Json::find(std::string_view name) const {
  for (const auto& member : members) {
    if (member.first == name) return &member.second;
  }
  return nullptr;
}

Json Json::parse(std::string_view place, std::string_view text) { return Parser(place, text).document(); }

}  // namespace whit
