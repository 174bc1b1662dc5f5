#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "whit/tflite_file.h"

namespace whit {

/// The golden vectors in a file's metadata (docs/format.md, section 9); every call throws a Failure that
/// begins with the name of the array.
class GoldenVectors {
 public:
  explicit GoldenVectors(const TfliteFile& file) : file_(file) {}

  /// Returns the number of features, before memory is taken for them.
  size_t num_features() const;

  /// Returns the features that the stored codes stand for.
  std::vector<float> features() const;

  /// Returns the ids that the prediction network takes one after another.
  std::vector<int32_t> targets(size_t most) const;

  /// Compares the CRC-32 of an output with the stored one.
  void compare(std::string_view output, std::span<const float> computed) const;

 private:
  template <typename T>
  std::vector<T> read(std::string_view key, size_t least, size_t most) const;

  const TfliteFile& file_;
};

}  // namespace whit
