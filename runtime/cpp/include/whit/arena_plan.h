#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace whit {

/// A block of memory that is in use from step `first` to step `last`, both included.
struct Lifetime {
  uint64_t num_bytes;
  int first;
  int last;
};

struct ArenaPlan {
  std::vector<uint64_t> offsets;  ///< (lifetimes,), each a multiple of 64
  uint64_t num_bytes = 0;         ///< of the whole arena
};

/// Places blocks so that those in use at the same step never overlap: the largest first, each at the lowest
/// gap that holds it ("greedy by size", Pisarchyk and Lee, arXiv 2001.03288).
/// @param[in] lifetimes  each below 2^48 bytes. Sums are of 64 bits on every machine: the caller bounds them.
ArenaPlan plan_arena(std::span<const Lifetime> lifetimes);

}  // namespace whit
