#pragma once

#include <string>

namespace whit {

/// What went wrong, as a value.
struct Error {
  std::string place;     ///< for example "model.tflite: encode/PackedLSTM 2"
  std::string expected;  ///<
  std::string received;  ///<

  /// Returns "[place] expected `expected`, received `received`".
  std::string text() const { return "[" + place + "] expected " + expected + ", received " + received; }
};

}  // namespace whit
