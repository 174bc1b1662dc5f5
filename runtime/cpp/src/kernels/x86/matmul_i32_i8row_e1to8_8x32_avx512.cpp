#include "kernels/kernels.h"
#include "kernels/x86/avx512.h"
#include "kernels/x86/lhs_x86.h"

// vpermb looks up 64 codes at a time (16 rows x 4 columns, the order of layout
// E) by the low 6 bits of each byte: codebooks repeat to 64 entries, so index
// bits above the width need no mask. vpdpbusd needs an unsigned factor: codes
// plus an offset, whose product with the activations is taken off once per row
// of them.

namespace whit {
namespace {

constexpr int code_offset(int bits) { return bits <= 4 || bits == 7 ? 64 : 128; }

constexpr int widest_field(int bits) { return bits >= 8 ? 8 : bits >= 4 ? 4 : bits >= 2 ? 2 : 1; }

// The field of kWidth bits that holds index bits kShift and up of one k-group,
// moved to bit kShift; the other bits of each byte are anything.
template <int kWidth, int kShift>
WHIT_AVX512_INLINE __m512i load_field(const uint8_t* fields, int group) {
  constexpr int kPerByte = 8 / kWidth;
  const __m512i bytes = _mm512_loadu_si512(fields + 64 * (group / kPerByte));
  const int right = group % kPerByte * kWidth - kShift;
  if (right > 0) return _mm512_srli_epi16(bytes, unsigned(right));
  if (right < 0) return _mm512_slli_epi16(bytes, unsigned(-right));
  return bytes;
}

// Index bits kShift and up; those above kShift + kBits are anything.
template <int kBits, int kShift = 0>
WHIT_AVX512_INLINE __m512i load_index(const uint8_t* fields, int group) {
  constexpr int kWidth = widest_field(kBits);
  const __m512i field = load_field<kWidth, kShift>(fields, group);
  if constexpr (kBits == kWidth) {
    return field;
  } else {
    constexpr int kNext = kShift + kWidth;
    const __m512i rest = load_index<kBits - kWidth, kNext>(fields + 64 * kWidth, group);
    const __m512i low = _mm512_set1_epi8(char((1 << kNext) - 1));
    return _mm512_ternarylogic_epi64(low, field, rest,
                                     0xCA);  // low ? field : rest
  }
}

// Codes of 16 rows x 4 columns, plus the offset.
template <int kBits>
WHIT_AVX512_INLINE __m512i load_codes(const uint8_t* block, int group, __m512i table) {
  const __m512i index = load_index<kBits>(block, group);
  if constexpr (kBits == 8) return index;
  if constexpr (kBits == 7) return _mm512_and_si512(index, _mm512_set1_epi8(127));
  return _mm512_permutexvar_epi8(index, table);
}

template <int kBits>
WHIT_AVX512_INLINE __m512i load_table(const int8_t* codebook) {
  __m512i entries = _mm512_setzero_si512();
  if constexpr (kBits <= 4) {
    entries = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codebook)));
  } else if constexpr (kBits == 5) {
    entries = _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codebook)));
  } else if constexpr (kBits == 6) {
    entries = _mm512_loadu_si512(codebook);
  }
  return _mm512_add_epi8(entries, _mm512_set1_epi8(char(code_offset(kBits))));
}

template <int kBits, int kNumLhs>
WHIT_AVX512 void accumulate_rows(const PackedMatrix& w, size_t super_tile, const std::byte* lhs,
                                 int32_t* sums) {
  constexpr int kChains = kNumLhs == 1 ? 2 : 1;  // hides the latency of vpdpbusd
  // Few rows wait for memory, which is fastest in order; many share what they load.
  constexpr int kTilesAtOnce = kNumLhs == 1 || (kBits == 8 && kNumLhs < 8) ? 1 : 2;
  const size_t lhs_stride = summed_row_bytes(w.padded_cols());
  const size_t num_blocks = w.num_col_blocks();
  const uint8_t* block = w.block(super_tile * 2, 0);
  __m512i table[2];
  __m512i acc[2][kNumLhs][kChains];  // (tile, lhs row, chain)
#pragma GCC unroll 2
  for (int tile = 0; tile < 2; ++tile) {
    table[tile] = load_table<kBits>(w.tile_codebook(super_tile * 2 + size_t(tile)));
#pragma GCC unroll 8
    for (int m = 0; m < kNumLhs; ++m) {
#pragma GCC unroll 2
      for (int chain = 0; chain < kChains; ++chain) acc[tile][m][chain] = _mm512_setzero_si512();
    }
  }
  for (size_t col_block = 0; col_block < num_blocks; ++col_block) {
    if constexpr (kNumLhs == 8 && kBits <= 4) prefetch_ahead<2 * kBits>(block);
#pragma GCC unroll 2
    for (int first = 0; first < 2; first += kTilesAtOnce) {
#pragma GCC unroll 8
      for (int group = 0; group < 8; ++group) {
        __m512i codes[2];
#pragma GCC unroll 2
        for (int tile = first; tile < first + kTilesAtOnce; ++tile) {
          codes[tile] = load_codes<kBits>(block + 64 * kBits * tile, group, table[tile]);
        }
#pragma GCC unroll 8
        for (int m = 0; m < kNumLhs; ++m) {
          int32_t four;
          const std::byte* q = lhs + size_t(m) * lhs_stride + col_block * kBlockCols + size_t(group) * 4;
          __builtin_memcpy(&four, q, 4);
          const __m512i fours = _mm512_set1_epi32(four);
#pragma GCC unroll 2
          for (int tile = first; tile < first + kTilesAtOnce; ++tile) {
            __m512i& sum = acc[tile][m][group % kChains];
            sum = _mm512_dpbusd_epi32(sum, codes[tile], fours);
          }
        }
      }
    }
    block += 2 * 64 * kBits;
  }
#pragma GCC unroll 8
  for (int m = 0; m < kNumLhs; ++m) {
    int32_t q_sum;
    __builtin_memcpy(&q_sum, lhs + size_t(m) * lhs_stride + i8_bytes(w.padded_cols()), 4);
    const __m512i excess = _mm512_set1_epi32(code_offset(kBits) * q_sum);
#pragma GCC unroll 2
    for (int tile = 0; tile < 2; ++tile) {
      __m512i sum = acc[tile][m][0];
      if constexpr (kChains == 2) sum = _mm512_add_epi32(sum, acc[tile][m][1]);
      _mm512_storeu_si512(sums + size_t(m) * kSuperTileRows + tile * 16, _mm512_sub_epi32(sum, excess));
    }
  }
}

template <int kBits>
void accumulate(const PackedMatrix& w, size_t super_tile, const std::byte* lhs, size_t num_lhs,
                int32_t* sums) {
  const size_t lhs_stride = summed_row_bytes(w.padded_cols());
  while (num_lhs > 0) {
    size_t count;
    if (num_lhs >= 8) {
      count = 8;
      accumulate_rows<kBits, 8>(w, super_tile, lhs, sums);
    } else if (num_lhs >= 4) {
      count = 4;
      accumulate_rows<kBits, 4>(w, super_tile, lhs, sums);
    } else if (num_lhs >= 2) {
      count = num_lhs;
      count == 2 ? accumulate_rows<kBits, 2>(w, super_tile, lhs, sums)
                 : accumulate_rows<kBits, 3>(w, super_tile, lhs, sums);
    } else {
      count = 1;
      accumulate_rows<kBits, 1>(w, super_tile, lhs, sums);
    }
    num_lhs -= count;
    lhs += count * lhs_stride;
    sums += count * kSuperTileRows;
  }
}

}  // namespace

void matmul_i32_i8row_e1to8_8x32_avx512(const PackedMatrix& w, size_t super_tile, const std::byte* lhs,
                                        size_t num_lhs, int32_t* sums) {
  static constexpr Accumulate* kWidth[] = {accumulate<1>, accumulate<2>, accumulate<3>, accumulate<4>,
                                           accumulate<5>, accumulate<6>, accumulate<7>, accumulate<8>};
  kWidth[w.bits - 1](w, super_tile, lhs, num_lhs, sums);
}

}  // namespace whit
