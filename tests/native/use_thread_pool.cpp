// Every part of every run is computed once, by several callers at a time; runs under the thread sanitizer.
// USE_THREAD_POOL prints how many threads of a pool of four took part in a long run.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "whit/thread_pool.h"

namespace {

constexpr size_t kNumRuns = 300;

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

struct Sleepers {
  mutable std::mutex mutex;
  mutable std::set<std::thread::id> threads;
};

void sleep_part(const void* work, size_t) {
  const auto& sleepers = *static_cast<const Sleepers*>(work);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the others wake meanwhile
  const std::lock_guard lock(sleepers.mutex);
  sleepers.threads.insert(std::this_thread::get_id());
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
  const Sleepers sleepers;
  pool.run(16, sleep_part, &sleepers);
  std::printf("%zu\n", sleepers.threads.size());
}
