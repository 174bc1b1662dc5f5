#include <arm_neon.h>

#include "kernels/kernels.h"

// Only what follows may use matrix products: an inline function of the library compiled with them could be
// the one that the linker keeps for all.
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("i8mm"))), apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+i8mm")
#endif

#include "kernels/arm/codes_neon.h"

// One matrix product multiplies 2 rows of codes by 2 rows of activations, 8 columns of each: two k-groups of
// layout E, zipped. A single row of activations is left to dot products.

namespace whit {
namespace {

// acc: (4 rows, first or last 2 of them, pair of lhs rows), each [r0 m0, r0 m1, r1 m0, r1 m1].
template <int kBits, int kNumPairs, int kGroup>
WHIT_NEON_INLINE void add_groups(const Codebook<kBits>& book, const uint8_t* block, const int8_t* lhs,
                                 size_t lhs_stride, int32x4_t (*acc)[2][kNumPairs]) {
  if constexpr (kGroup < 8) {
    int8x16_t q[kNumPairs];  // 8 columns of two rows
#pragma GCC unroll 2
    for (int pair = 0; pair < kNumPairs; ++pair) {
      const int8_t* row = lhs + size_t(pair) * 2 * lhs_stride + kGroup * 4;
      q[pair] = vcombine_s8(vld1_s8(row), vld1_s8(row + lhs_stride));
    }
#pragma GCC unroll 4
    for (int quarter = 0; quarter < 4; ++quarter) {
      const int32x4_t first = vreinterpretq_s32_s8(load_codes<kBits, kGroup>(book, block, quarter));
      const int32x4_t second = vreinterpretq_s32_s8(load_codes<kBits, kGroup + 1>(book, block, quarter));
      const int8x16_t rows01 = vreinterpretq_s8_s32(vzip1q_s32(first, second));
      const int8x16_t rows23 = vreinterpretq_s8_s32(vzip2q_s32(first, second));
#pragma GCC unroll 2
      for (int pair = 0; pair < kNumPairs; ++pair) {
        acc[quarter][0][pair] = vmmlaq_s32(acc[quarter][0][pair], rows01, q[pair]);
        acc[quarter][1][pair] = vmmlaq_s32(acc[quarter][1][pair], rows23, q[pair]);
      }
    }
    add_groups<kBits, kNumPairs, kGroup + 2>(book, block, lhs, lhs_stride, acc);
  }
}

template <int kBits, int kNumPairs>
void accumulate_tile(const PackedMatrix& w, size_t tile, const int8_t* lhs, int32_t* sums) {
  const Codebook<kBits> book = load_codebook<kBits>(w.tile_codebook(tile));
  const size_t lhs_stride = i8_bytes(w.padded_cols());
  const size_t num_blocks = w.num_col_blocks();
  const uint8_t* block = w.block(tile, 0);
  int32x4_t acc[4][2][kNumPairs];
  for (auto& quarter : acc) {
    for (int pair = 0; pair < kNumPairs; ++pair) quarter[0][pair] = quarter[1][pair] = vdupq_n_s32(0);
  }
  for (size_t col_block = 0; col_block < num_blocks; ++col_block) {
    add_groups<kBits, kNumPairs, 0>(book, block, lhs, lhs_stride, acc);
    lhs += kBlockCols;
    block += 2 * 64 * kBits;
  }
  for (int pair = 0; pair < kNumPairs; ++pair) {
    int32_t* out = sums + size_t(pair) * 2 * kSuperTileRows;
    for (int quarter = 0; quarter < 4; ++quarter) {
      const int32x4_t rows01 = acc[quarter][0][pair], rows23 = acc[quarter][1][pair];
      vst1q_s32(out + 4 * quarter, vuzp1q_s32(rows01, rows23));
      vst1q_s32(out + kSuperTileRows + 4 * quarter, vuzp2q_s32(rows01, rows23));
    }
  }
}

template <int kBits>
void accumulate(const PackedMatrix& w, size_t super_tile, const std::byte* lhs, size_t num_lhs,
                int32_t* sums) {
  const size_t lhs_stride = i8_bytes(w.padded_cols());
  while (num_lhs >= 2) {
    const size_t count = num_lhs >= 4 ? 4 : 2;
    for (size_t half = 0; half < 2; ++half) {
      const auto add_tile = count == 4 ? accumulate_tile<kBits, 2> : accumulate_tile<kBits, 1>;
      add_tile(w, super_tile * 2 + half, reinterpret_cast<const int8_t*>(lhs), sums + half * kTileRows);
    }
    num_lhs -= count;
    lhs += count * lhs_stride;
    sums += count * kSuperTileRows;
  }
  if (num_lhs == 1) matmul_i32_i8row_e1to8_4x16_neondot(w, super_tile, lhs, 1, sums);
}

}  // namespace

void matmul_i32_i8row_e1to8_4x16_neoni8mm(const PackedMatrix& w, size_t super_tile, const std::byte* lhs,
                                          size_t num_lhs, int32_t* sums) {
  static constexpr Accumulate* kWidth[] = {accumulate<1>, accumulate<2>, accumulate<3>, accumulate<4>,
                                           accumulate<5>, accumulate<6>, accumulate<7>, accumulate<8>};
  kWidth[w.bits - 1](w, super_tile, lhs, num_lhs, sums);
}

}  // namespace whit

#ifdef __clang__
#pragma clang attribute pop
#endif
