#pragma once

#include <cstddef>

namespace whit {

/// Memory that the system provides page by page when it is first touched, and takes back as a whole.
class LazyPages {
 public:
  /// @throws std::bad_alloc where the system has no more addresses.
  explicit LazyPages(size_t num_bytes);
  ~LazyPages();
  LazyPages(const LazyPages&) = delete;
  LazyPages& operator=(const LazyPages&) = delete;

  /// At a page boundary; zero at first.
  std::byte* data() const { return data_; }

 private:
  std::byte* data_;
  size_t num_bytes_;
};

}  // namespace whit
