#include "kernels/arm/codes_neon.h"
#include "kernels/kernels.h"

// Products in 16 bits, column by column of a k-group: up to 4 bits |code| <= 64 and four of them fit
// (4 * 64 * 127 < 2^15), above two (2 * 128 * 127). Then pairs of columns are added into 32 bits. Activations
// of -128, which integer-only models have, times the unused index 0 of 8 bits (-128) leave room for one.

namespace whit {
namespace {

// Adds the products of groups kGroup to kGroup + kCount - 1 in 16 bits.
template <int kBits, int kGroup, int kCount>
WHIT_NEON_INLINE void multiply(const Codebook<kBits>& book, const uint8_t* block, int quarter,
                               const int8x16_t* q, int16x8_t* products) {
  const int8x16_t codes = load_codes<kBits, kGroup>(book, block, quarter);
  products[0] = vmlal_s8(products[0], vget_low_s8(codes), vget_low_s8(q[kGroup]));
  products[1] = vmlal_high_s8(products[1], codes, q[kGroup]);
  if constexpr (kCount > 1) multiply<kBits, kGroup + 1, kCount - 1>(book, block, quarter, q, products);
}

template <int kBits, int kCount, int kGroup = 0>
WHIT_NEON_INLINE void add_groups(const Codebook<kBits>& book, const uint8_t* block, int quarter,
                                 const int8x16_t* q, int32x4_t* acc) {
  if constexpr (kGroup < 8) {
    int16x8_t products[2] = {vdupq_n_s16(0), vdupq_n_s16(0)};
    multiply<kBits, kGroup, kCount>(book, block, quarter, q, products);
    acc[0] = vpadalq_s16(acc[0], products[0]);
    acc[1] = vpadalq_s16(acc[1], products[1]);
    add_groups<kBits, kCount, kGroup + kCount>(book, block, quarter, q, acc);
  }
}

// @tparam kOneByOne  whether no two products are added in 16 bits
template <int kBits, bool kOneByOne = false>
void accumulate_tile(const PackedMatrix& w, size_t tile, const int8_t* lhs, int32_t* sums) {
  constexpr int kCount = kOneByOne ? 1 : kBits <= 4 ? 4 : 2;
  const Codebook<kBits> book = load_codebook<kBits>(w.tile_codebook(tile));
  const size_t num_blocks = w.num_col_blocks();
  const uint8_t* block = w.block(tile, 0);
  int32x4_t acc[4][2];  // (4 rows, 2 rows x 2 pairs of columns)
  for (auto& quarter : acc) quarter[0] = quarter[1] = vdupq_n_s32(0);
  for (size_t col_block = 0; col_block < num_blocks; ++col_block) {
    int8x16_t q[8];  // four columns, four times
#pragma GCC unroll 8
    for (int group = 0; group < 8; ++group) {
      q[group] = vreinterpretq_s8_s32(vld1q_dup_s32(reinterpret_cast<const int32_t*>(lhs + 4 * group)));
    }
#pragma GCC unroll 4
    for (int quarter = 0; quarter < 4; ++quarter) {
      add_groups<kBits, kCount>(book, block, quarter, q, acc[quarter]);
    }
    lhs += kBlockCols;
    block += 2 * 64 * kBits;
  }
  for (int quarter = 0; quarter < 4; ++quarter) {
    vst1q_s32(sums + 4 * quarter, vpaddq_s32(acc[quarter][0], acc[quarter][1]));
  }
}

// Whether rows of activations hold -128.
bool holds_least(const int8_t* lhs, size_t stride, size_t num_lhs, size_t num_values) {
  int8x16_t least = vdupq_n_s8(0);
  for (size_t m = 0; m < num_lhs; ++m) {
    for (size_t k = 0; k < num_values; k += 16) least = vminq_s8(least, vld1q_s8(lhs + m * stride + k));
  }
  return vminvq_s8(least) == INT8_MIN;
}

// Whether a super-tile of 8 bits holds the unused index, or padding.
bool holds_unused_index(const PackedMatrix& w, size_t super_tile) {
  const uint8_t* index = w.block(super_tile * 2, 0);
  uint8x16_t least = vdupq_n_u8(UINT8_MAX);
  for (size_t i = 0; i < w.padded_cols() * kSuperTileRows; i += 16) {
    least = vminq_u8(least, vld1q_u8(index + i));
  }
  return vminvq_u8(least) == 0;
}

}  // namespace

void matmul_i32_i8row_e1to8_1x16_neon(const PackedMatrix& w, size_t super_tile, const std::byte* lhs,
                                      size_t num_lhs, int32_t* sums) {
  using Tile = void (*)(const PackedMatrix&, size_t, const int8_t*, int32_t*);
  static constexpr Tile kTile[] = {accumulate_tile<1>, accumulate_tile<2>, accumulate_tile<3>,
                                   accumulate_tile<4>, accumulate_tile<5>, accumulate_tile<6>,
                                   accumulate_tile<7>, accumulate_tile<8>};
  const size_t lhs_stride = i8_bytes(w.padded_cols());
  const auto* rows = reinterpret_cast<const int8_t*>(lhs);
  const bool one_by_one = w.bits == 8 && holds_least(rows, lhs_stride, num_lhs, w.padded_cols()) &&
                          holds_unused_index(w, super_tile);
  const Tile accumulate = one_by_one ? accumulate_tile<8, true> : kTile[w.bits - 1];
  for (size_t m = 0; m < num_lhs; ++m) {
    for (size_t half = 0; half < 2; ++half) {
      accumulate(w, super_tile * 2 + half, rows + m * lhs_stride,
                 sums + m * kSuperTileRows + half * kTileRows);
    }
  }
}

}  // namespace whit
