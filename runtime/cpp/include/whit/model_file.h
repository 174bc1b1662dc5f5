#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "whit/mapped_file.h"
#include "whit/tflite_file.h"
#include "whit/thread_pool.h"

namespace whit {

struct LoadOptions {
  bool self_test = true;   ///< run the golden vectors and refuse the file when a bit differs
  size_t num_threads = 1;  ///< of one call, from 1 to ThreadPool::kMaxThreads; 1 starts none
};

/// The bytes of a `model.tflite`, what any model says about itself, and the threads that run it. The weights
/// stay in the mapped file.
class ModelFile {
 public:
  /// @param[in] mapping  of the bytes, or nothing where the caller keeps them for the lifetime.
  /// @param[in] file     what `read_tflite` made of the bytes.
  /// @throws Failure for another version or dialect, and for an impossible number of threads.
  ModelFile(std::optional<MappedFile> mapping, std::span<const std::byte> bytes, const TfliteFile& file,
            size_t num_threads);

  std::string_view config_text() const { return config_text_; }
  std::string_view weights_sha256() const { return weights_sha256_; }
  size_t file_bytes() const { return bytes_.size(); }
  size_t data_section_bytes() const { return data_section_bytes_; }

  /// Threads that calls share, or null; a call that finds them busy computes alone.
  Workers* workers() const { return thread_pool_.get(); }

 private:
  std::optional<MappedFile> mapping_;
  std::span<const std::byte> bytes_;
  size_t data_section_bytes_;
  std::string_view config_text_;     // in the file
  std::string_view weights_sha256_;  // in the file
  std::unique_ptr<ThreadPool> thread_pool_;
};

}  // namespace whit
