#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "end_signal.h"
#include "whit.h"

namespace whit::cli {

/// Prints a transcript while it comes: of each result, what is committed and was not printed yet. Functions
/// return 0, or why printing failed: an errno.
class LiveText {
 public:
  int show(const whit_result& result) { return print_up_to(result.text, result.committed_bytes); }

  /// Prints the rest of an utterance and ends its line.
  int end_line(const whit_result& result) {
    if (const int error = print_up_to(result.text, std::strlen(result.text))) return error;
    num_printed_ = 0;
    return print("\n", 1);
  }

 private:
  int print_up_to(const char* text, size_t num_bytes) {
    if (num_bytes <= num_printed_) return 0;
    const size_t first = num_printed_;
    num_printed_ = num_bytes;
    return print(text + first, num_bytes - first);
  }

  int print(const char* text, size_t num_bytes) {
    const WholeOutput whole;
    return std::fwrite(text, 1, num_bytes, stdout) == num_bytes && std::fflush(stdout) == 0 ? 0 : errno;
  }

  size_t num_printed_ = 0;
};

}  // namespace whit::cli
