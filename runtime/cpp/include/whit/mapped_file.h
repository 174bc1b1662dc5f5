#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "whit/expected.h"

namespace whit {

/// A regular file mapped read only: its pages are the system's cache, not memory of this process.
///
/// Whoever shortens the file while it is mapped ends the process (SIGBUS), as with every mapping.
class MappedFile {
 public:
  /// Returns an error for a path that is no readable, non-empty regular file.
  static Expected<MappedFile> open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept : bytes_(other.bytes_) { other.bytes_ = {}; }
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::span<const std::byte> bytes_;
};

}  // namespace whit
