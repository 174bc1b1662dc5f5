#pragma once

#include <cstddef>

namespace whit {

/// The sum of docs/format.md section 3 whose order every instruction set shares: 16 lanes, then halves.
class LaneSum {
 public:
  static constexpr size_t kLanes = 16;

  /// Adds the value of an index; indices ascend.
  void add(size_t index, float value) { lanes_[index % kLanes] += value; }

  float total() const {
    float sums[kLanes];
    for (size_t j = 0; j < kLanes; ++j) sums[j] = lanes_[j];
    for (size_t half = kLanes / 2; half > 0; half /= 2) {
      for (size_t j = 0; j < half; ++j) sums[j] += sums[j + half];
    }
    return sums[0];
  }

 private:
  float lanes_[kLanes] = {};
};

}  // namespace whit
