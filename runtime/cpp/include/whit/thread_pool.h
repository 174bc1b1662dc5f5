#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "whit/workers.h"

namespace whit {

/// A fixed number of threads that sleep until there is work, and do not spin: a phone's battery and the other
/// threads of the process come first. Starting work allocates nothing.
///
/// Threads take parts one by one, so a run never waits for one that has not woken: at worst the caller does
/// all parts. While one run is under way, another caller computes alone; results do not depend on it.
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

 private:
  void serve();
  void take_parts();
  void stop();

  std::mutex running_;  // held by the caller whose work this is
  Part* part_ = nullptr;
  const void* work_ = nullptr;
  uint32_t num_parts_ = 0;
  // Number of the run in the upper half, parts that nobody has taken in the lower: a thread that is late by
  // a run cannot take a part of the next one with what it knows of the last.
  std::atomic<uint64_t> untaken_ = 0;
  std::atomic<uint32_t> unfinished_ = 0;  // parts of this run; the caller sleeps on it
  std::atomic<uint32_t> run_number_ = 0;  // the threads sleep on it
  std::atomic<bool> stopped_ = false;
  std::vector<std::thread> threads_;  // (num_threads - 1,)
};

}  // namespace whit
