// Every part of every run is computed once, by several callers at a time; runs under the thread sanitizer.
// All four threads of a pool take part: without one of them the last run waits until SIGALRM ends it.

#include <unistd.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include "whit/thread_pool.h"

namespace {

constexpr size_t kNumRuns = 300;
constexpr unsigned kForeverSeconds = 600;

struct Work {
  explicit Work(size_t num_parts) : times(num_parts) {}

  std::vector<int> times;  // not atomic: two threads at one part are a race
};

void count_part(const void* work, size_t i) { ++const_cast<Work*>(static_cast<const Work*>(work))->times[i]; }

bool check_runs(whit::ThreadPool& pool, bool close) {
  const whit::CloseRuns close_runs(close ? &pool : nullptr);
  for (size_t run = 0; run < kNumRuns; ++run) {
    const size_t num_parts = run % 17;
    Work work(num_parts);
    pool.run(num_parts, count_part, &work);
    for (const int times : work.times) {
      if (times != 1) return false;
    }
  }
  return true;
}

void meet_the_others(const void* work, size_t) {
  const_cast<std::latch*>(static_cast<const std::latch*>(work))->arrive_and_wait();
}

}  // namespace

int main() {
  for (const size_t num_threads : {1, 2, 3, 4}) {
    whit::ThreadPool pool(num_threads);
    if (pool.num_threads() != num_threads || !check_runs(pool, false) || !check_runs(pool, true)) return 1;
    std::atomic<bool> right = true;
    std::vector<std::thread> callers;
    for (int i = 0; i < 3; ++i) {
      callers.emplace_back([&, i] {
        if (!check_runs(pool, i > 0)) right = false;
      });
    }
    for (std::thread& caller : callers) caller.join();
    if (!right) return 1;
  }
  whit::ThreadPool pool(4);
  std::latch all(4);
  alarm(kForeverSeconds);
  pool.run(4, meet_the_others, &all);
}
