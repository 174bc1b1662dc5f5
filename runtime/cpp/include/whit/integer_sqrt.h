#pragma once

#include <cstdint>

namespace whit {

/// Returns the square root rounded down, for every x: one binary digit after the other.
constexpr uint64_t integer_sqrt(uint64_t x) {
  uint64_t root = 0;
  uint64_t digit = uint64_t{1} << 62;
  while (digit > x) digit >>= 2;
  for (; digit != 0; digit >>= 2) {
    const bool is_set = x >= root + digit;
    if (is_set) x -= root + digit;
    root = (root >> 1) + (is_set ? digit : 0);
  }
  return root;
}

}  // namespace whit
