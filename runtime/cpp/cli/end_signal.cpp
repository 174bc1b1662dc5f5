#include "end_signal.h"

#include <signal.h>

namespace whit::cli {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM};

volatile sig_atomic_t signalled = 0;

void note_signal(int) {
  signalled = 1;
  for (const int number : kSignals) {
    struct sigaction action;
    sigaction(number, nullptr, &action);
    if (action.sa_handler == note_signal) signal(number, SIG_DFL);
  }
}

// Lets reads and writes go on after a signal, or not; returns whether that changed anything.
bool set_restart(bool restarts) {
  sigset_t both;
  sigset_t before;
  sigemptyset(&both);
  for (const int number : kSignals) sigaddset(&both, number);
  sigprocmask(SIG_BLOCK, &both, &before);  // the handler changes the same settings
  bool changed = false;
  for (const int number : kSignals) {
    struct sigaction action;
    sigaction(number, nullptr, &action);
    if (action.sa_handler != note_signal || bool(action.sa_flags & SA_RESTART) == restarts) continue;
    action.sa_flags ^= SA_RESTART;
    sigaction(number, &action, nullptr);
    changed = true;
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return changed;
}

}  // namespace

void catch_end_signals() {
  struct sigaction action = {};  // without SA_RESTART, so that a read returns
  action.sa_handler = note_signal;
  sigemptyset(&action.sa_mask);
  for (const int number : kSignals) {
    struct sigaction former;
    sigaction(number, nullptr, &former);
    // What the parent ignores, as a shell does for `whit-cli ... &`, is meant for others.
    if (former.sa_handler != SIG_IGN) sigaction(number, &action, nullptr);
  }
}

bool end_signalled() { return signalled != 0; }

WholeOutput::WholeOutput() : was_interruptible_(set_restart(true)) {}

WholeOutput::~WholeOutput() {
  if (was_interruptible_) set_restart(false);
}

}  // namespace whit::cli
