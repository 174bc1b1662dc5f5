#pragma once

namespace whit::cli {

/// From now on, the first SIGINT or SIGTERM ends the audio instead of the program: it interrupts a read that
/// waits. A second one ends the program.
void catch_end_signals();

/// Returns whether such a signal came.
bool end_signalled();

}  // namespace whit::cli
