#pragma once

#include <cstddef>
#include <cstdint>

#include "whit/packed_matrix.h"

namespace whit {

/// Multiplies some prepared rows by one or both tiles of a super-tile.
using AccumulateTiles = void(const PackedMatrix& w, size_t tile, const std::byte* lhs, int32_t* sums);

/// Multiplies prepared rows by a super-tile, four at a time: more would not fit the 16 registers of AVX2.
/// @tparam kOne               one row by both tiles at once
/// @tparam kTwo, kThree, kFour  so many rows by one tile
/// @param[in]  lhs   (num_lhs, lhs_stride_bytes)
/// @param[out] sums  (num_lhs, 32)
template <AccumulateTiles kOne, AccumulateTiles kTwo, AccumulateTiles kThree, AccumulateTiles kFour>
void accumulate_by_four(const PackedMatrix& w, size_t super_tile, const std::byte* lhs,
                        size_t lhs_stride_bytes, size_t num_lhs, int32_t* sums) {
  static constexpr AccumulateTiles* kRows[] = {kTwo, kThree, kFour};
  while (num_lhs > 0) {
    const size_t count = num_lhs < 4 ? num_lhs : 4;
    if (count == 1) {
      kOne(w, super_tile * 2, lhs, sums);
    } else {
      kRows[count - 2](w, super_tile * 2, lhs, sums);
      kRows[count - 2](w, super_tile * 2 + 1, lhs, sums + kTileRows);
    }
    num_lhs -= count;
    lhs += count * lhs_stride_bytes;
    sums += count * kSuperTileRows;
  }
}

}  // namespace whit
