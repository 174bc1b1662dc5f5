#pragma once

#include <cstddef>
#include <cstdio>
#include <cstring>

#include "whit.h"

namespace whit::cli {

/// Prints a transcript while it comes: of each result, what is committed and was not printed yet.
class LiveText {
 public:
  void show(const whit_result& result) { print_up_to(result.text, result.committed_bytes); }

  /// Prints the rest of an utterance and ends its line.
  void end_line(const whit_result& result) {
    print_up_to(result.text, std::strlen(result.text));
    std::putchar('\n');
    std::fflush(stdout);
    num_printed_ = 0;
  }

 private:
  void print_up_to(const char* text, size_t num_bytes) {
    if (num_bytes <= num_printed_) return;
    std::fwrite(text + num_printed_, 1, num_bytes - num_printed_, stdout);
    std::fflush(stdout);
    num_printed_ = num_bytes;
  }

  size_t num_printed_ = 0;
};

}  // namespace whit::cli
