#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "whit/expected.h"

namespace whit::cli {

enum class SampleType { kInt16, kInt24, kFloat32 };

/// Mono samples from a WAV file (PCM of 16 or 24 bits, float of 32) or raw 16-bit PCM, block by block.
class AudioSource {
 public:
  /// Opens a WAV file; every size in it is checked before use.
  static Expected<AudioSource> open_wav(const std::string& path);
  /// Reads little-endian int16 of one channel from standard input.
  static AudioSource standard_input(int sample_rate_hz);

  int sample_rate_hz() const { return sample_rate_hz_; }
  /// The file's path, or "audio": for errors.
  const std::string& place() const { return place_; }

  /// Reads the next samples; channels are averaged.
  /// @param[out] samples  in [-1, 1]
  /// @return how many came; fewer than asked for only at the end, or where a signal interrupts a read. An
  ///         error for a file that ends before the size it states, or raw audio that ends inside a sample:
  ///         after what was there.
  Expected<size_t> read(std::span<float> samples);

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const {
      if (file != stdin) std::fclose(file);
    }
  };

  std::string place_;
  std::unique_ptr<std::FILE, CloseFile> file_;
  int sample_rate_hz_ = 0;
  size_t num_channels_ = 1;
  SampleType type_ = SampleType::kInt16;
  uint64_t bytes_left_ = UINT64_MAX;  // of the data chunk; all of an unknown size
  bool is_size_certain_ = false;
  bool is_raw_ = false;
  size_t loose_bytes_ = 0;  // after the last whole sample
  std::vector<std::byte> block_;
};

}  // namespace whit::cli
