#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace whit {

/// The last feature frames of a stream, which can be taken again.
class RecentFrames {
 public:
  RecentFrames(int64_t capacity, int64_t width) : width_(width), values_(size_t(capacity * width)) {}

  /// Frames that wait to be taken again.
  int64_t num_waiting() const { return num_waiting_; }
  /// Frames taken since the start of the stream, each once, without those that wait.
  int64_t position() const { return num_frames_ - num_waiting_; }

  /// Goes back by up to the capacity.
  /// @param[in] earliest  position that it may not go behind; beyond the present one, it stays
  void rewind(int64_t earliest) {
    const int64_t capacity = int64_t(values_.size()) / width_;
    const int64_t first_kept = std::max<int64_t>(0, num_frames_ - capacity);
    const int64_t first = std::max({first_kept, position() - capacity, earliest});
    num_waiting_ = num_frames_ - std::min(first, position());
  }

  /// Takes the frames that wait, the oldest first.
  /// @param[out] frames  (n, width), n at most num_waiting()
  void take_again(std::span<float> frames) {
    std::copy_n(values_.end() - num_waiting_ * width_, frames.size(), frames.begin());
    num_waiting_ -= int64_t(frames.size()) / width_;
  }

  /// Remembers frames that were taken for the first time; none may wait.
  /// @param[in] frames  (n, width)
  void add(std::span<const float> frames) {
    const auto kept = frames.last(std::min(frames.size(), values_.size()));
    std::copy(values_.begin() + int64_t(kept.size()), values_.end(), values_.begin());
    std::ranges::copy(kept, values_.end() - int64_t(kept.size()));
    num_frames_ += int64_t(frames.size()) / width_;
  }

  void reset() { num_frames_ = num_waiting_ = 0; }

 private:
  int64_t width_;
  int64_t num_frames_ = 0;
  int64_t num_waiting_ = 0;
  std::vector<float> values_;  // (capacity, width), the last frame at the end
};

}  // namespace whit
