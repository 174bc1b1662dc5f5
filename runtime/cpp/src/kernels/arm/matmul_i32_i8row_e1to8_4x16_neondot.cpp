#include <arm_neon.h>

#include "kernels/kernels.h"

// Only what follows may use dot products: an inline function of the library compiled with them could be the
// one that the linker keeps for all.
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif

#include "kernels/arm/codes_neon.h"

// One dot product by lane multiplies 4 rows x 4 columns: layout E is in its order, and activations need no
// spreading.

namespace whit {
namespace {

template <int kBits, int kNumLhs, int kGroup>
WHIT_NEON_INLINE void add_groups(const Codebook<kBits>& book, const uint8_t* block, const int8x16_t (*q)[2],
                                 int32x4_t (*acc)[4]) {
  if constexpr (kGroup < 8) {
#pragma GCC unroll 4
    for (int quarter = 0; quarter < 4; ++quarter) {
      const int8x16_t codes = load_codes<kBits, kGroup>(book, block, quarter);
#pragma GCC unroll 4
      for (int m = 0; m < kNumLhs; ++m) {
        acc[m][quarter] = vdotq_laneq_s32(acc[m][quarter], codes, q[m][kGroup / 4], kGroup % 4);
      }
    }
    add_groups<kBits, kNumLhs, kGroup + 1>(book, block, q, acc);
  }
}

template <int kBits, int kNumLhs>
void accumulate_tile(const PackedMatrix& w, size_t tile, const int8_t* lhs, int32_t* sums) {
  const Codebook<kBits> book = load_codebook<kBits>(w.tile_codebook(tile));
  const size_t lhs_stride = i8_bytes(w.padded_cols());
  const size_t num_blocks = w.num_col_blocks();
  const uint8_t* block = w.block(tile, 0);
  int32x4_t acc[kNumLhs][4];  // (lhs row, 4 rows)
  for (auto& row : acc) row[0] = row[1] = row[2] = row[3] = vdupq_n_s32(0);
  for (size_t col_block = 0; col_block < num_blocks; ++col_block) {
    int8x16_t q[kNumLhs][2];
    for (int m = 0; m < kNumLhs; ++m) {
      q[m][0] = vld1q_s8(lhs + size_t(m) * lhs_stride);
      q[m][1] = vld1q_s8(lhs + size_t(m) * lhs_stride + 16);
    }
    add_groups<kBits, kNumLhs, 0>(book, block, q, acc);
    lhs += kBlockCols;
    block += 2 * 64 * kBits;
  }
  for (int m = 0; m < kNumLhs; ++m) {
    for (int quarter = 0; quarter < 4; ++quarter) {
      vst1q_s32(sums + size_t(m) * kSuperTileRows + 4 * quarter, acc[m][quarter]);
    }
  }
}

template <int kBits>
void accumulate(const PackedMatrix& w, size_t super_tile, const std::byte* lhs, size_t num_lhs,
                int32_t* sums) {
  using Tile = void (*)(const PackedMatrix&, size_t, const int8_t*, int32_t*);
  static constexpr Tile kTile[] = {accumulate_tile<kBits, 1>, accumulate_tile<kBits, 2>,
                                   accumulate_tile<kBits, 3>, accumulate_tile<kBits, 4>};
  const size_t lhs_stride = i8_bytes(w.padded_cols());
  for (size_t half = 0; half < 2; ++half) {
    for (size_t m = 0; m < num_lhs; m += 4) {
      const size_t count = num_lhs - m < 4 ? num_lhs - m : 4;
      kTile[count - 1](w, super_tile * 2 + half, reinterpret_cast<const int8_t*>(lhs + m * lhs_stride),
                       sums + m * kSuperTileRows + half * kTileRows);
    }
  }
}

}  // namespace

void matmul_i32_i8row_e1to8_4x16_neondot(const PackedMatrix& w, size_t super_tile, const std::byte* lhs,
                                         size_t num_lhs, int32_t* sums) {
  static constexpr Accumulate* kWidth[] = {accumulate<1>, accumulate<2>, accumulate<3>, accumulate<4>,
                                           accumulate<5>, accumulate<6>, accumulate<7>, accumulate<8>};
  kWidth[w.bits - 1](w, super_tile, lhs, num_lhs, sums);
}

}  // namespace whit

#ifdef __clang__
#pragma clang attribute pop
#endif
