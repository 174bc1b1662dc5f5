#pragma once

namespace whit::cli {

/// From now on, the first SIGINT or SIGTERM ends the audio instead of the program: it interrupts a read that
/// waits. A second one ends the program.
void catch_end_signals();

/// Returns whether such a signal came.
bool end_signalled();

/// While one lives, the first signal does not interrupt a write that waits: the rest would be lost.
class WholeOutput {
 public:
  WholeOutput();
  ~WholeOutput();
  WholeOutput(const WholeOutput&) = delete;
  WholeOutput& operator=(const WholeOutput&) = delete;

 private:
  bool was_interruptible_;
};

}  // namespace whit::cli
