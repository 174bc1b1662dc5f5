#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace whit {

/// Makes room for so many further values, which then come without an allocation. Room at least doubles where
/// there is too little: made bit by bit, it costs linear time.
template <typename T>
void make_room(std::vector<T>& values, size_t num_more) {
  const size_t needed = values.size() + num_more;
  if (needed > values.capacity()) values.reserve(std::max(needed, 2 * values.capacity()));
}

}  // namespace whit
