#include "kernels/kernels.h"
#include "kernels/x86/avx512.h"
#include "kernels/x86/lhs_x86.h"

// A nibble of a plane picks one of the 16 sums of its group of columns. The bytes of a plane are first put
// in the order (row, chunk): then vpermb looks up all four chunks at once, the chunk being bits 4 and 5 of
// the index, and vpdpbusd adds the four bytes of a row, times the plane's code: one sum in 32 bits for all
// planes, with nothing to unpack. It may wrap on the way; the result fits.

namespace whit {
namespace {

struct Constants {
  __m512i order;   // byte 4r + c comes from 16c + r
  __m512i chunk;   // byte 4r + c is c << 4
  __m512i nibble;  // 15
};

WHIT_AVX512_INLINE Constants constants() {
  alignas(64) uint8_t order[64], chunk[64];
  for (int i = 0; i < 64; ++i) {
    order[i] = uint8_t(i % 4 * 16 + i / 4);
    chunk[i] = uint8_t(i % 4 << 4);
  }
  return {_mm512_load_si512(order), _mm512_load_si512(chunk), _mm512_set1_epi8(15)};
}

// (bytes & 15) | chunk
WHIT_AVX512_INLINE __m512i table_index(__m512i bytes, const Constants& with) {
  return _mm512_ternarylogic_epi64(bytes, with.nibble, with.chunk, 0xEA);
}

template <int kBits, int kNumLhs>
WHIT_AVX512 void accumulate_rows(const PackedMatrix& w, size_t super_tile, const std::byte* lhs,
                                 int32_t* sums) {
  constexpr int kChains = kNumLhs == 1 ? 2 : 1;  // hides the latency of vpdpbusd
  const Constants with = constants();
  const size_t lhs_stride = activation_tables_bytes(w.padded_cols());
  const size_t num_blocks = w.num_col_blocks();
  const uint8_t* block = w.block(super_tile * 2, 0);
  __m512i plane_code[2][kBits];
  __m512i acc[2][kNumLhs][kChains];
#pragma GCC unroll 2
  for (int tile = 0; tile < 2; ++tile) {
    const int8_t* codebook = w.tile_codebook(super_tile * 2 + size_t(tile));
#pragma GCC unroll 3
    for (int p = 0; p < kBits; ++p) plane_code[tile][p] = _mm512_set1_epi8(codebook[1 + p]);
#pragma GCC unroll 4
    for (int m = 0; m < kNumLhs; ++m) {
      TableSums total;
      __builtin_memcpy(&total, lhs + size_t(m) * lhs_stride + w.padded_cols() * 4, sizeof(total));
      uint32_t start = uint32_t(codebook[0] * total.q);
      for (int p = 0; p < kBits; ++p) start -= uint32_t(codebook[1 + p] * total.negative);
      acc[tile][m][0] = _mm512_set1_epi32(int32_t(start));
      if constexpr (kChains == 2) acc[tile][m][1] = _mm512_setzero_si512();
    }
  }
  for (size_t col_block = 0; col_block < num_blocks; ++col_block) {
    if constexpr (kNumLhs > 1) prefetch_ahead<2 * kBits>(block);
    const std::byte* tables = lhs + col_block * 128;
#pragma GCC unroll 2
    for (int tile = 0; tile < 2; ++tile) {
#pragma GCC unroll 3
      for (int p = 0; p < kBits; ++p) {
        const __m512i plane = _mm512_loadu_si512(block + 64 * (tile * kBits + p));
        const __m512i bytes = _mm512_permutexvar_epi8(with.order, plane);
        const __m512i low = table_index(bytes, with);
        const __m512i high = table_index(_mm512_srli_epi16(bytes, 4), with);
#pragma GCC unroll 4
        for (int m = 0; m < kNumLhs; ++m) {
          const __m512i low_sums = _mm512_load_si512(tables + size_t(m) * lhs_stride);
          const __m512i high_sums = _mm512_load_si512(tables + size_t(m) * lhs_stride + 64);
          __m512i& sum = acc[tile][m][0];
          sum = _mm512_dpbusd_epi32(sum, _mm512_permutexvar_epi8(low, low_sums), plane_code[tile][p]);
          __m512i& other = acc[tile][m][kChains - 1];
          other = _mm512_dpbusd_epi32(other, _mm512_permutexvar_epi8(high, high_sums), plane_code[tile][p]);
        }
      }
    }
    block += 2 * 64 * kBits;
  }
#pragma GCC unroll 2
  for (int tile = 0; tile < 2; ++tile) {
#pragma GCC unroll 4
    for (int m = 0; m < kNumLhs; ++m) {
      __m512i sum = acc[tile][m][0];
      if constexpr (kChains == 2) sum = _mm512_add_epi32(sum, acc[tile][m][1]);
      _mm512_storeu_si512(sums + size_t(m) * kSuperTileRows + size_t(tile) * kTileRows, sum);
    }
  }
}

template <int kBits>
void accumulate(const PackedMatrix& w, size_t super_tile, const std::byte* lhs, size_t num_lhs,
                int32_t* sums) {
  using Rows = void (*)(const PackedMatrix&, size_t, const std::byte*, int32_t*);
  static constexpr Rows kRows[] = {accumulate_rows<kBits, 1>, accumulate_rows<kBits, 2>,
                                   accumulate_rows<kBits, 3>, accumulate_rows<kBits, 4>};
  constexpr size_t kMost = 4;
  const size_t lhs_stride = activation_tables_bytes(w.padded_cols());
  while (num_lhs > 0) {
    const size_t count = num_lhs < kMost ? num_lhs : kMost;
    kRows[count - 1](w, super_tile, lhs, sums);
    num_lhs -= count;
    lhs += count * lhs_stride;
    sums += count * kSuperTileRows;
  }
}

}  // namespace

void matmul_i32_i8row_p1to3_4x32_avx512(const PackedMatrix& w, size_t super_tile, const std::byte* lhs,
                                        size_t num_lhs, int32_t* sums) {
  static constexpr Accumulate* kWidth[] = {accumulate<1>, accumulate<2>, accumulate<3>};
  kWidth[w.bits - 1](w, super_tile, lhs, num_lhs, sums);
}

}  // namespace whit
