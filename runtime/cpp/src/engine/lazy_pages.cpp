#include "whit/lazy_pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace whit {

LazyPages::LazyPages(size_t num_bytes) : num_bytes_(std::max<size_t>(num_bytes, 1)) {
  void* address = ::mmap(nullptr, num_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_NOHUGEPAGE
  // A page of 2 MiB would be resident as a whole for the first row of every tensor in it. Where the system
  // knows no such pages, the advice fails, and nothing is lost.
  ::madvise(address, num_bytes_, MADV_NOHUGEPAGE);
#endif
  data_ = static_cast<std::byte*>(address);
}

LazyPages::~LazyPages() { ::munmap(data_, num_bytes_); }

}  // namespace whit
