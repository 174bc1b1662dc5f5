#pragma once

#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "whit/fail.h"
#include "whit/tflite_file.h"

namespace whit {

/// The golden vectors in a file's metadata (docs/format.md, section 9); every call throws a Failure that
/// begins with the name of the array.
class GoldenVectors {
 public:
  explicit GoldenVectors(const TfliteFile& file) : file_(file) {}

  /// Returns an array of unknown length.
  template <typename T>
  std::vector<T> read(std::string_view key) const {
    const std::span<const std::byte> content = file_.metadata_content(text("whit.golden.", key));
    if (content.size() % sizeof(T)) {
      fail(text("whit.golden.", key), text("values of ", sizeof(T), " bytes"),
           text(content.size(), " bytes"));
    }
    std::vector<T> values(content.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), content.data(), content.size());
    return values;
  }

  /// Returns an array of exactly `count` values.
  std::vector<float> read_floats(std::string_view key, size_t count) const;

  /// Compares bit by bit.
  void compare(std::string_view key, std::span<const float> computed) const;

 private:
  const TfliteFile& file_;
};

}  // namespace whit
