#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace whit {

/// Returns how many of an array's rows belong to an utterance of `length` rows (docs/format.md, section 10).
inline size_t valid_rows(int32_t length, size_t num_rows) {
  return std::min(size_t(std::max(length, int32_t{0})), num_rows);
}

}  // namespace whit
