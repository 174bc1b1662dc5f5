#include "whit/thread_pool.h"

#include <chrono>
#include <optional>

namespace whit {
namespace {

using Clock = std::chrono::steady_clock;

// About what it takes to sleep and be woken. Pauses are no measure: one takes 40 ns on some processors, and
// on Cortex-A `yield` does nothing.
constexpr auto kLongestSpin = std::chrono::microseconds(50);
constexpr int kPausesPerLook = 64;  // at the clock, which takes as long as some of them

void pause_briefly() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  asm volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(size_t num_threads) : shares_(num_threads) {
  threads_.reserve(num_threads - 1);
  try {
    for (size_t i = 1; i < num_threads; ++i) threads_.emplace_back([this, i] { serve(i); });
  } catch (...) {
    stop();
    throw;
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stopped_.store(true, std::memory_order_relaxed);
  run_number_.fetch_add(1, std::memory_order_release);
  run_number_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::run(size_t num_parts, Part* part, const void* work) {
  const std::unique_lock running(running_, std::try_to_lock);
  if (!running || threads_.empty() || num_parts < 2) {
    for (size_t i = 0; i < num_parts; ++i) part(work, i);
    return;
  }
  part_ = part;
  work_ = work;
  num_parts_ = uint32_t(num_parts);
  unfinished_.store(num_parts_, std::memory_order_relaxed);
  const uint32_t number = run_number_.load(std::memory_order_relaxed) + 1;
  for (size_t i = 0, begin = 0; i < shares_.size(); ++i) {
    const size_t end = share_end(i);
    shares_[i].untaken.store(uint64_t(number) << 32 | (end - begin), std::memory_order_release);
    begin = end;
  }
  run_number_.store(number, std::memory_order_release);
  run_number_.notify_all();
  take_parts(0);
  while (const uint32_t left = unfinished_.load(std::memory_order_acquire)) await_change(unfinished_, left);
}

void ThreadPool::await_change(const std::atomic<uint32_t>& value, uint32_t old) const {
  std::optional<Clock::time_point> end;  // known from the first look on: most changes come before it
  for (int i = 1; close_runs_.load(std::memory_order_relaxed); ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause_briefly();
    if (i % kPausesPerLook != 0) continue;
    const Clock::time_point now = Clock::now();
    if (!end) end = now + kLongestSpin;
    if (now >= *end) break;
  }
  value.wait(old, std::memory_order_acquire);
}

void ThreadPool::take_parts(size_t thread) {
  for (size_t i = 0; i < shares_.size(); ++i) take_share((thread + i) % shares_.size());
}

void ThreadPool::take_share(size_t share) {
  std::atomic<uint64_t>& shared = shares_[share].untaken;
  uint64_t untaken = shared.load(std::memory_order_acquire);
  while (const uint32_t left = uint32_t(untaken)) {
    if (!shared.compare_exchange_weak(untaken, untaken - 1, std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
      continue;
    }
    part_(work_, share_end(share) - left);  // the run cannot end, nor these change, before this part has
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
    untaken = shared.load(std::memory_order_acquire);
  }
}

void ThreadPool::serve(size_t thread) {
  uint32_t seen = 0;
  for (;;) {
    await_change(run_number_, seen);
    seen = run_number_.load(std::memory_order_acquire);
    if (stopped_.load(std::memory_order_relaxed)) return;
    take_parts(thread);
  }
}

}  // namespace whit
