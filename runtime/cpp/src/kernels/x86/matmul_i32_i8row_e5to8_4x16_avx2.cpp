#include <immintrin.h>

#include <algorithm>

#include "kernels/kernels.h"

// Codes are expanded 32 at a time (8 rows x 4 columns, the order of layout E)
// and multiplied at once: no strip in memory. maddubs needs an unsigned factor:
// |code| * (q * sign(code)), two products at most 2 * 128
// * 127 < 2^15.
#define WHIT_AVX2 __attribute__((target("avx2"))) inline

namespace whit {
namespace {

struct Codebook {
  __m256i entries[4];  // 16 entries each, once per 128-bit lane
};

template <int kBits>
WHIT_AVX2 Codebook load_codebook(const int8_t* codebook) {
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
WHIT_AVX2 __m256i load_index(const uint8_t* fields, int group, int half) {
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
WHIT_AVX2 __m256i look_up(const Codebook& book, __m256i index) {
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

template <int kBits, int kNumLhs>
WHIT_AVX2 void accumulate_tile(const PackedMatrix& w, size_t tile, const int8_t* lhs, int32_t* sums) {
  const Codebook book = load_codebook<kBits>(w.tile_codebook(tile));
  const size_t lhs_stride = i8_bytes(w.padded_cols());
  __m256i acc[kNumLhs][2];  // (lhs row, half of the 16 rows)
  for (int m = 0; m < kNumLhs; ++m) acc[m][0] = acc[m][1] = _mm256_setzero_si256();
  for (size_t col_block = 0; col_block < w.num_col_blocks(); ++col_block) {
    const uint8_t* block = w.block(tile, col_block);
#pragma GCC unroll 8
    for (int group = 0; group < 8; ++group) {
      __m256i code[2], magnitude[2];
      for (int half = 0; half < 2; ++half) {
        code[half] = look_up<kBits>(book, load_index<kBits>(block, group, half));
        magnitude[half] = _mm256_abs_epi8(code[half]);
      }
#pragma GCC unroll 4
      for (int m = 0; m < kNumLhs; ++m) {
        int32_t four;
        __builtin_memcpy(&four, lhs + size_t(m) * lhs_stride + col_block * kBlockCols + size_t(group) * 4, 4);
        const __m256i q = _mm256_set1_epi32(four);
        for (int half = 0; half < 2; ++half) {
          const __m256i pairs = _mm256_maddubs_epi16(magnitude[half], _mm256_sign_epi8(q, code[half]));
          acc[m][half] = _mm256_add_epi32(acc[m][half], _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
        }
      }
    }
  }
  for (int m = 0; m < kNumLhs; ++m) {
    int32_t* out = sums + size_t(m) * kSuperTileRows;
    for (int half = 0; half < 2; ++half) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 8 * half), acc[m][half]);
    }
  }
}

template <int kBits>
void accumulate(const PackedMatrix& w, size_t super_tile, const int8_t* lhs, size_t num_lhs, int32_t* sums) {
  using Tile = void (*)(const PackedMatrix&, size_t, const int8_t*, int32_t*);
  static constexpr Tile kTile[] = {accumulate_tile<kBits, 1>, accumulate_tile<kBits, 2>,
                                   accumulate_tile<kBits, 3>, accumulate_tile<kBits, 4>};
  const size_t lhs_stride = i8_bytes(w.padded_cols());
  for (size_t half = 0; half < 2; ++half) {
    for (size_t m = 0; m < num_lhs; m += 4) {
      const size_t count = std::min<size_t>(4, num_lhs - m);
      kTile[count - 1](w, super_tile * 2 + half, lhs + m * lhs_stride,
                       sums + m * kSuperTileRows + half * kTileRows);
    }
  }
}

}  // namespace

void matmul_i32_i8row_e5to8_4x16_avx2(const PackedMatrix& w, size_t super_tile, const std::byte* lhs,
                                      size_t num_lhs, int32_t* sums) {
  using Width = void (*)(const PackedMatrix&, size_t, const int8_t*, size_t, int32_t*);
  static constexpr Width kWidth[] = {accumulate<5>, accumulate<6>, accumulate<7>, accumulate<8>};
  kWidth[w.bits - 5](w, super_tile, reinterpret_cast<const int8_t*>(lhs), num_lhs, sums);
}

}  // namespace whit
