#include <immintrin.h>

#include "kernels/kernels.h"
#include "kernels/x86/lhs_x86.h"
#include "kernels/x86/rows_by_four.h"

// Codes are looked up 32 at a time (8 rows x 4 columns, the order of layout E) and multiplied at once.
// maddubs needs an unsigned factor: codes plus 64, whose product with the activations is taken off once per
// row of them. Two products are at most 2 * 127 * 127 < 2^15. The codebook repeats to 16 entries, so bits
// above the width need no mask but bit 7, by which a shuffle gives 0.
#define WHIT_AVX2 __attribute__((target("avx2")))
#define WHIT_AVX2_INLINE WHIT_AVX2 __attribute__((always_inline)) inline

namespace whit {
namespace {

constexpr int kCodeOffset = 64;

template <int kRight>
WHIT_AVX2_INLINE __m256i shift_right(__m256i v) {
  if constexpr (kRight < 0) {
    return _mm256_slli_epi16(v, -kRight);
  } else {
    return _mm256_srli_epi16(v, kRight);
  }
}

// Bytes whose low 4 bits pick the code, with bit 7 clear.
template <int kBits, int kGroup>
WHIT_AVX2_INLINE __m256i load_index(const uint8_t* block, int half) {
  constexpr int kWidth = kBits == 4 ? 4 : kBits == 1 ? 1 : 2;
  constexpr int kPerByte = 8 / kWidth;
  const uint8_t* field = block + 64 * (kGroup / kPerByte) + 32 * half;
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(field));
  const __m256i low = shift_right<kGroup % kPerByte * kWidth>(bytes);
  if constexpr (kBits != 3) {
    return _mm256_and_si256(low, _mm256_set1_epi8(15));
  } else {
    const __m256i plane = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 128 + 32 * half));
    const __m256i bit2 = _mm256_and_si256(shift_right<kGroup - 2>(plane), _mm256_set1_epi8(4));
    return _mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi8(3)), bit2);
  }
}

template <int kBits, int kNumLhs, int kTiles, int kGroup>
WHIT_AVX2_INLINE void add_groups(const uint8_t* block, const __m256i* table, const std::byte* lhs,
                                 size_t lhs_stride, __m256i (*acc)[kNumLhs][2]) {
  if constexpr (kGroup < 8) {
    __m256i codes[kTiles][2];
    for (int tile = 0; tile < kTiles; ++tile) {
      for (int half = 0; half < 2; ++half) {
        const __m256i index = load_index<kBits, kGroup>(block + 64 * kBits * tile, half);
        codes[tile][half] = _mm256_shuffle_epi8(table[tile], index);
      }
    }
#pragma GCC unroll 4
    for (int m = 0; m < kNumLhs; ++m) {
      int32_t four;
      __builtin_memcpy(&four, lhs + size_t(m) * lhs_stride + kGroup * 4, 4);
      const __m256i q = _mm256_set1_epi32(four);
      for (int tile = 0; tile < kTiles; ++tile) {
        for (int half = 0; half < 2; ++half) {
          const __m256i pairs = _mm256_maddubs_epi16(codes[tile][half], q);
          const __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
          acc[tile][m][half] = _mm256_add_epi32(acc[tile][m][half], fours);
        }
      }
    }
    add_groups<kBits, kNumLhs, kTiles, kGroup + 1>(block, table, lhs, lhs_stride, acc);
  }
}

template <int kBits, int kNumLhs, int kTiles>
WHIT_AVX2 void accumulate_tiles(const PackedMatrix& w, size_t first_tile, const std::byte* lhs,
                                int32_t* sums) {
  const size_t lhs_stride = summed_row_bytes(w.padded_cols());
  const size_t num_blocks = w.num_col_blocks();
  const uint8_t* block = w.block(first_tile, 0);
  __m256i table[kTiles];
  __m256i acc[kTiles][kNumLhs][2];  // (tile, lhs row, half of the 16 rows)
  for (int tile = 0; tile < kTiles; ++tile) {
    const int8_t* codebook = w.tile_codebook(first_tile + size_t(tile));
    const __m128i entries = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codebook));
    table[tile] = _mm256_broadcastsi128_si256(_mm_add_epi8(entries, _mm_set1_epi8(kCodeOffset)));
    for (int m = 0; m < kNumLhs; ++m) acc[tile][m][0] = acc[tile][m][1] = _mm256_setzero_si256();
  }
  for (size_t col_block = 0; col_block < num_blocks; ++col_block) {
    add_groups<kBits, kNumLhs, kTiles, 0>(block, table, lhs + col_block * kBlockCols, lhs_stride, acc);
    block += 2 * 64 * kBits;
  }
  for (int m = 0; m < kNumLhs; ++m) {
    int32_t q_sum;
    __builtin_memcpy(&q_sum, lhs + size_t(m) * lhs_stride + i8_bytes(w.padded_cols()), 4);
    const __m256i excess = _mm256_set1_epi32(kCodeOffset * q_sum);
    for (int tile = 0; tile < kTiles; ++tile) {
      int32_t* out = sums + size_t(m) * kSuperTileRows + size_t(tile) * kTileRows;
      for (int half = 0; half < 2; ++half) {
        const __m256i sum = _mm256_sub_epi32(acc[tile][m][half], excess);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 8 * half), sum);
      }
    }
  }
}

template <int kBits>
void accumulate(const PackedMatrix& w, size_t super_tile, const std::byte* lhs, size_t num_lhs,
                int32_t* sums) {
  accumulate_by_four<accumulate_tiles<kBits, 1, 2>, accumulate_tiles<kBits, 2, 1>,
                     accumulate_tiles<kBits, 3, 1>, accumulate_tiles<kBits, 4, 1>>(
      w, super_tile, lhs, summed_row_bytes(w.padded_cols()), num_lhs, sums);
}

}  // namespace

void matmul_i32_i8row_e1to4_4x16_avx2(const PackedMatrix& w, size_t super_tile, const std::byte* lhs,
                                      size_t num_lhs, int32_t* sums) {
  static constexpr Accumulate* kWidth[] = {accumulate<1>, accumulate<2>, accumulate<3>, accumulate<4>};
  kWidth[w.bits - 1](w, super_tile, lhs, num_lhs, sums);
}

}  // namespace whit
