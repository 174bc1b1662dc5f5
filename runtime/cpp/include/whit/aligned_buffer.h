#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

namespace whit {

/// Uninitialised bytes at a 64-byte boundary: the scratch of one call.
class AlignedBuffer {
 public:
  /// @throws std::bad_alloc where they are more than there is, or than the machine has addresses.
  explicit AlignedBuffer(uint64_t bytes)
      : data_(static_cast<std::byte*>(::operator new(addressable(bytes), std::align_val_t{64}))) {}
  ~AlignedBuffer() { ::operator delete(data_, std::align_val_t{64}); }
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;

  std::byte* data() const { return data_; }

 private:
  static size_t addressable(uint64_t bytes) {
    if (bytes > SIZE_MAX) throw std::bad_alloc();
    return size_t(bytes);
  }

  std::byte* data_;
};

}  // namespace whit
