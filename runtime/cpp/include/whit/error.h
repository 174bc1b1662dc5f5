#pragma once

#include <string>

namespace whit {

/// What went wrong, as a value.
struct Error {
  std::string place;     ///< for example "model.tflite: encode/PackedLSTM 2"
  std::string expected;  ///< for example "3 inputs and 1 outputs"
  std::string received;  ///< for example "2 and 1"

  /// Returns "[place] expected `expected`, received `received`": one printable line of UTF-8, other
  /// bytes as `\xNN`, for a message may quote a damaged file.
  std::string text() const;
};

}  // namespace whit
