#include <immintrin.h>

#include "kernels/kernels.h"
#include "kernels/x86/rows_by_four.h"

// Codes are expanded 32 at a time (8 rows x 4 columns, the order of layout E) and multiplied at once: no
// strip in memory. maddubs needs an unsigned factor: |q|, up to 128 in integer-only models, times the code
// with q's sign, which needs codes of -127 and more; then two products are at most 2 * 128 * 127 < 2^15.
// Blocks that hold the unused index 0 of 8 bits, or padding, are multiplied in 16 bits.
#define WHIT_AVX2 __attribute__((target("avx2")))
#define WHIT_AVX2_INLINE WHIT_AVX2 __attribute__((always_inline)) inline

namespace whit {
namespace {

struct Codebook {
  __m256i entries[4];  // 16 entries each, once per 128-bit lane
};

template <int kBits>
WHIT_AVX2_INLINE Codebook load_codebook(const int8_t* codebook) {
  Codebook book{};
  if constexpr (kBits <= 6) {
    constexpr int kTables = 1 << (kBits - 4);
    for (int i = 0; i < kTables; ++i) {
      const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codebook + 16 * i));
      book.entries[i] = _mm256_broadcastsi128_si256(table);
    }
  }
  return book;
}

// Index bits of one k-group and half of the rows: the widest field of kBits,
// then the rest.
template <int kBits, int kShift = 0>
WHIT_AVX2_INLINE __m256i load_index(const uint8_t* fields, int group, int half) {
  constexpr int kWidth = kBits >= 8 ? 8 : kBits >= 4 ? 4 : kBits >= 2 ? 2 : 1;
  constexpr int kPerByte = 8 / kWidth;
  const uint8_t* bytes = fields + 64 * (group / kPerByte) + 32 * half;
  __m256i index = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  index = _mm256_srli_epi16(index, group % kPerByte * kWidth);
  index = _mm256_and_si256(index, _mm256_set1_epi8(char((1 << kWidth) - 1)));
  index = _mm256_slli_epi16(index, kShift);
  if constexpr (kBits > kWidth) {
    const __m256i rest = load_index<kBits - kWidth, kShift + kWidth>(fields + 64 * kWidth, group, half);
    index = _mm256_or_si256(index, rest);
  }
  return index;
}

template <int kBits>
WHIT_AVX2_INLINE __m256i look_up(const Codebook& book, __m256i index) {
  if constexpr (kBits >= 7) return _mm256_sub_epi8(index, _mm256_set1_epi8(char(1 << (kBits - 1))));
  const __m256i low = _mm256_shuffle_epi8(book.entries[0], index);
  // blendv looks at bit 7 of each byte; the shift brings index bit 4 there.
  const __m256i bit4 = _mm256_slli_epi16(index, 3);
  const __m256i first = _mm256_blendv_epi8(low, _mm256_shuffle_epi8(book.entries[1], index), bit4);
  if constexpr (kBits == 5) return first;
  const __m256i second = _mm256_blendv_epi8(_mm256_shuffle_epi8(book.entries[2], index),
                                            _mm256_shuffle_epi8(book.entries[3], index), bit4);
  return _mm256_blendv_epi8(first, second, _mm256_slli_epi16(index, 2));
}

// Whether a block of 8 bits holds a code of -128.
WHIT_AVX2_INLINE bool holds_unused_index(const uint8_t* block) {
  __m256i least = _mm256_set1_epi8(-1);
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    least = _mm256_min_epu8(least, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 32 * i)));
  }
  return _mm256_movemask_epi8(_mm256_cmpeq_epi8(least, _mm256_setzero_si256())) != 0;
}

// The products of one block of 8 bits, exact for any codes and activations.
template <int kNumLhs>
WHIT_AVX2 void add_wide_block(const uint8_t* block, const std::byte* lhs, size_t lhs_stride,
                              __m256i (*acc)[2]) {
  for (int group = 0; group < 8; ++group) {
    for (int half = 0; half < 2; ++half) {
      const __m256i code = look_up<8>(Codebook{}, load_index<8>(block, group, half));
      const __m256i low = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(code));
      const __m256i high = _mm256_cvtepi8_epi16(_mm256_extracti128_si256(code, 1));
      for (int m = 0; m < kNumLhs; ++m) {
        int32_t four;
        __builtin_memcpy(&four, lhs + size_t(m) * lhs_stride + size_t(group) * 4, 4);
        const __m256i q = _mm256_cvtepi8_epi16(_mm_set1_epi32(four));
        // Rows (0, 1, 4, 5 | 2, 3, 6, 7), then in order.
        const __m256i sums = _mm256_hadd_epi32(_mm256_madd_epi16(low, q), _mm256_madd_epi16(high, q));
        acc[m][half] = _mm256_add_epi32(acc[m][half], _mm256_permute4x64_epi64(sums, 0xD8));
      }
    }
  }
}

// The products of one block.
template <int kBits, int kNumLhs>
WHIT_AVX2_INLINE void add_block(const uint8_t* block, const Codebook& book, const std::byte* lhs,
                                size_t lhs_stride, __m256i (*acc)[2]) {
  if constexpr (kBits == 8) {
    if (holds_unused_index(block)) return add_wide_block<kNumLhs>(block, lhs, lhs_stride, acc);
  }
#pragma GCC unroll 8
  for (int group = 0; group < 8; ++group) {
    __m256i code[2];
    for (int half = 0; half < 2; ++half) {
      code[half] = look_up<kBits>(book, load_index<kBits>(block, group, half));
    }
#pragma GCC unroll 4
    for (int m = 0; m < kNumLhs; ++m) {
      int32_t four;
      __builtin_memcpy(&four, lhs + size_t(m) * lhs_stride + size_t(group) * 4, 4);
      const __m256i q = _mm256_set1_epi32(four);
      const __m256i magnitude = _mm256_abs_epi8(q);
      for (int half = 0; half < 2; ++half) {
        const __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(code[half], q));
        acc[m][half] = _mm256_add_epi32(acc[m][half], _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
      }
    }
  }
}

template <int kBits, int kNumLhs, int kTiles>
WHIT_AVX2 void accumulate_tiles(const PackedMatrix& w, size_t first_tile, const std::byte* lhs,
                                int32_t* sums) {
  const size_t lhs_stride = i8_bytes(w.padded_cols());
  const size_t num_blocks = w.num_col_blocks();
  const uint8_t* block = w.block(first_tile, 0);
  Codebook book[kTiles];
  __m256i acc[kTiles][kNumLhs][2];  // (tile, lhs row, half of the 16 rows)
  for (int tile = 0; tile < kTiles; ++tile) {
    book[tile] = load_codebook<kBits>(w.tile_codebook(first_tile + size_t(tile)));
    for (int m = 0; m < kNumLhs; ++m) acc[tile][m][0] = acc[tile][m][1] = _mm256_setzero_si256();
  }
  for (size_t col_block = 0; col_block < num_blocks; ++col_block) {
    for (int tile = 0; tile < kTiles; ++tile) {
      add_block<kBits, kNumLhs>(block + 64 * kBits * tile, book[tile], lhs, lhs_stride, acc[tile]);
    }
    lhs += kBlockCols;
    block += 2 * 64 * kBits;
  }
  for (int tile = 0; tile < kTiles; ++tile) {
    for (int m = 0; m < kNumLhs; ++m) {
      int32_t* out = sums + size_t(m) * kSuperTileRows + size_t(tile) * kTileRows;
      for (int half = 0; half < 2; ++half) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 8 * half), acc[tile][m][half]);
      }
    }
  }
}

template <int kBits>
void accumulate(const PackedMatrix& w, size_t super_tile, const std::byte* lhs, size_t num_lhs,
                int32_t* sums) {
  accumulate_by_four<accumulate_tiles<kBits, 1, 2>, accumulate_tiles<kBits, 2, 1>,
                     accumulate_tiles<kBits, 3, 1>, accumulate_tiles<kBits, 4, 1>>(
      w, super_tile, lhs, i8_bytes(w.padded_cols()), num_lhs, sums);
}

}  // namespace

void matmul_i32_i8row_e5to8_4x16_avx2(const PackedMatrix& w, size_t super_tile, const std::byte* lhs,
                                      size_t num_lhs, int32_t* sums) {
  static constexpr Accumulate* kWidth[] = {accumulate<5>, accumulate<6>, accumulate<7>, accumulate<8>};
  kWidth[w.bits - 5](w, super_tile, lhs, num_lhs, sums);
}

}  // namespace whit
