#include "end_signal.h"

#include <signal.h>

namespace whit::cli {
namespace {

volatile sig_atomic_t signalled = 0;

void note_signal(int) {
  signalled = 1;
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
}

}  // namespace

void catch_end_signals() {
  struct sigaction action = {};  // without SA_RESTART, so that a read returns
  action.sa_handler = note_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool end_signalled() { return signalled != 0; }

}  // namespace whit::cli
