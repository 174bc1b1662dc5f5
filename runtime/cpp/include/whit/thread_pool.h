#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "whit/workers.h"

namespace whit {

/// A fixed number of threads that sleep until there is work: a phone's battery and the other threads of the
/// process come first. Only between the close runs of one computation do they spin, and for some 50
/// microseconds: to sleep and be woken takes longer than most operators. Starting work allocates nothing.
///
/// Each thread begins with the same share of the parts in every run, the first with the first ones: what it
/// wrote in one run is in its own cache in the next. It takes them one by one and then those that others have
/// left, so a run never waits for a thread that has not woken: at worst the caller does all parts. While one
/// run is under way, another caller computes alone; results do not depend on it.
class ThreadPool final : public Workers {
 public:
  static constexpr size_t kMaxThreads = 64;

  /// Starts num_threads - 1 threads; the caller of `run` is the other one.
  /// @param[in] num_threads  from 1 to kMaxThreads.
  /// @throws std::system_error where the system has no more threads.
  explicit ThreadPool(size_t num_threads);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  size_t num_threads() const override { return threads_.size() + 1; }
  void run(size_t num_parts, Part* part, const void* work) override;
  void begin_runs() override { close_runs_.fetch_add(1, std::memory_order_relaxed); }
  void end_runs() override { close_runs_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  /// Parts that one thread begins with; a line of the cache by itself.
  struct alignas(64) Share {
    // Number of the run in the upper half, parts that nobody has taken in the lower: a thread that is late by
    // a run cannot take a part of the next one with what it knows of the last.
    std::atomic<uint64_t> untaken = 0;
  };

  void serve(size_t thread);
  void take_parts(size_t thread);
  void take_share(size_t share);
  uint32_t share_end(size_t share) const {
    return uint32_t(size_t{num_parts_} * (share + 1) / shares_.size());
  }
  void await_change(const std::atomic<uint32_t>& value, uint32_t old) const;
  void stop();

  std::mutex running_;  // held by the caller whose work this is
  Part* part_ = nullptr;
  const void* work_ = nullptr;
  uint32_t num_parts_ = 0;
  std::vector<Share> shares_;             // (num_threads,)
  std::atomic<uint32_t> unfinished_ = 0;  // parts of this run; the caller sleeps on it
  std::atomic<uint32_t> run_number_ = 0;  // the threads sleep on it
  std::atomic<uint32_t> close_runs_ = 0;  // computations under way whose runs follow each other closely
  std::atomic<bool> stopped_ = false;
  std::vector<std::thread> threads_;  // (num_threads - 1,)
};

}  // namespace whit
