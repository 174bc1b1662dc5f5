#pragma once

#include <algorithm>
#include <cstddef>

namespace whit {

/// Threads that share the parts of one computation: an engine's own pool, or that of a host.
class Workers {
 public:
  /// Computes one part; must not throw.
  using Part = void(const void* work, size_t part);

  virtual ~Workers() = default;

  virtual size_t num_threads() const = 0;

  /// Calls `part(work, i)` once for each i in [0, num_parts), the caller's thread among those that do, and
  /// returns when all calls have returned.
  virtual void run(size_t num_parts, Part* part, const void* work) = 0;

  /// Say that several runs follow each other closely, and that they are over. Calls from several threads
  /// nest.
  virtual void begin_runs() {}
  virtual void end_runs() {}
};

/// Several runs that follow each other closely, for as long as it lives.
class CloseRuns {
 public:
  explicit CloseRuns(Workers* workers) : workers_(workers) {
    if (workers_) workers_->begin_runs();
  }
  ~CloseRuns() {
    if (workers_) workers_->end_runs();
  }
  CloseRuns(const CloseRuns&) = delete;
  CloseRuns& operator=(const CloseRuns&) = delete;

 private:
  Workers* workers_;
};

/// Calls `body(first, last)` for ranges that together are [0, count); in one piece without workers, and where
/// there is less to do than to wake a thread: that takes the caller some two microseconds.
/// @param[in] least_items  of a range: what the caller would do itself in that time; at least 1.
template <typename Body>
void for_ranges(Workers* workers, size_t count, size_t least_items, const Body& body) {
  constexpr size_t kPartsPerThread = 4;  // a thread that wakes late or is interrupted does fewer
  if (!workers || count < 2 * least_items) {
    body(size_t{0}, count);
    return;
  }
  struct Work {
    const Body& body;
    size_t count;
    size_t num_parts;
  };
  const Work work{body, count, std::min(count / least_items, workers->num_threads() * kPartsPerThread)};
  const auto part = [](const void* address, size_t i) {
    const Work& w = *static_cast<const Work*>(address);
    w.body(w.count * i / w.num_parts, w.count * (i + 1) / w.num_parts);
  };
  workers->run(work.num_parts, part, &work);
}

}  // namespace whit
