#include "whit/arena_plan.h"

#include <algorithm>
#include <numeric>

namespace whit {
namespace {

uint64_t align64(uint64_t num_bytes) { return (num_bytes + 63) / 64 * 64; }

bool overlap(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

ArenaPlan plan_arena(std::span<const Lifetime> lifetimes) {
  std::vector<size_t> by_size(lifetimes.size());
  std::iota(by_size.begin(), by_size.end(), size_t{0});
  std::ranges::stable_sort(
      by_size, [&](size_t a, size_t b) { return lifetimes[a].num_bytes > lifetimes[b].num_bytes; });

  ArenaPlan plan;
  plan.offsets.resize(lifetimes.size());
  std::vector<size_t> placed;  // in order of their offsets
  for (const size_t block : by_size) {
    const uint64_t num_bytes = align64(lifetimes[block].num_bytes);
    uint64_t offset = 0;
    for (const size_t other : placed) {
      if (!overlap(lifetimes[block], lifetimes[other])) continue;
      if (offset + num_bytes <= plan.offsets[other]) break;
      offset = std::max(offset, plan.offsets[other] + align64(lifetimes[other].num_bytes));
    }
    plan.offsets[block] = offset;
    plan.num_bytes = std::max(plan.num_bytes, offset + num_bytes);
    const auto after =
        std::ranges::upper_bound(placed, offset, {}, [&](size_t b) { return plan.offsets[b]; });
    placed.insert(after, block);
  }
  return plan;
}

}  // namespace whit
