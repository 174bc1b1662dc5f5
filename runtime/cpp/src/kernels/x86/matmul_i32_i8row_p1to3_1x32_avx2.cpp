#include <immintrin.h>

#include <algorithm>

#include "kernels/kernels.h"
#include "kernels/x86/lhs_x86.h"

// A nibble of a plane picks one of the 16 sums of its group of columns: one
// byte shuffle looks up 16 rows.
#define WHIT_AVX2 __attribute__((target("avx2")))
#define WHIT_AVX2_INLINE WHIT_AVX2 __attribute__((always_inline)) inline

namespace whit {
namespace {

// Blocks until a 16-bit sum of bytes could overflow: 4 bytes a block, 64 * 4 *
// 255 < 2^16.
constexpr size_t kFlushBlocks = 64;

// One plane: sums of even rows and odd rows in 16 bits, chunks 2i in the low
// lane and 2i+1 in the high one.
struct Plane {
  __m256i all;  // even rows + 256 * odd rows, modulo 2^16
  __m256i odd;
};

WHIT_AVX2_INLINE void add(Plane& plane, __m256i bytes) {
  plane.all = _mm256_add_epi16(plane.all, bytes);
  plane.odd = _mm256_add_epi16(plane.odd, _mm256_srli_epi16(bytes, 8));
}

WHIT_AVX2_INLINE void flush(Plane& plane, int32_t* sums) {
  alignas(32) uint16_t even[16], odd[16];
  const __m256i even_rows = _mm256_sub_epi16(plane.all, _mm256_slli_epi16(plane.odd, 8));
  _mm256_store_si256(reinterpret_cast<__m256i*>(even), even_rows);
  _mm256_store_si256(reinterpret_cast<__m256i*>(odd), plane.odd);
  for (int i = 0; i < 8; ++i) {
    sums[2 * i] += even[i] + even[8 + i];
    sums[2 * i + 1] += odd[i] + odd[8 + i];
  }
  plane.all = plane.odd = _mm256_setzero_si256();
}

template <int kBits>
WHIT_AVX2_INLINE void add_block(const uint8_t* block, const std::byte* tables, Plane* planes) {
  const __m256i low_nibble = _mm256_set1_epi8(0x0F);
#pragma GCC unroll 2
  for (int pair = 0; pair < 2; ++pair) {
    const __m256i* table = reinterpret_cast<const __m256i*>(tables) + pair;
    const __m256i low = _mm256_load_si256(table);
    const __m256i high = _mm256_load_si256(table + 2);
#pragma GCC unroll 3
    for (int p = 0; p < kBits; ++p) {
      const uint8_t* bytes = block + 64 * p + 32 * pair;
      const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
      const __m256i upper = _mm256_srli_epi16(bits, 4);
      add(planes[p], _mm256_shuffle_epi8(low, _mm256_and_si256(bits, low_nibble)));
      add(planes[p], _mm256_shuffle_epi8(high, _mm256_and_si256(upper, low_nibble)));
    }
  }
}

template <int kBits>
WHIT_AVX2 void accumulate(const PackedMatrix& w, size_t super_tile, const std::byte* lhs, int32_t* sums) {
  int32_t plane_sums[2][kBits][kTileRows] = {};  // (tile, plane, row)
  Plane planes[2][kBits];
  for (Plane* tile : planes) {
    for (int p = 0; p < kBits; ++p) tile[p].all = tile[p].odd = _mm256_setzero_si256();
  }
  const size_t num_blocks = w.num_col_blocks();
  const uint8_t* block = w.block(super_tile * 2, 0);
  const std::byte* tables = lhs;
  for (size_t start = 0; start < num_blocks; start += kFlushBlocks) {
    const size_t end = std::min(num_blocks, start + kFlushBlocks);
    for (size_t col_block = start; col_block < end; ++col_block) {
      add_block<kBits>(block, tables, planes[0]);
      add_block<kBits>(block + 64 * kBits, tables, planes[1]);
      tables += 128;
      block += 2 * 64 * kBits;
    }
    for (int tile = 0; tile < 2; ++tile) {
      for (int p = 0; p < kBits; ++p) flush(planes[tile][p], plane_sums[tile][p]);
    }
  }
  TableSums total;
  std::memcpy(&total, lhs + w.padded_cols() * 4, sizeof(total));
  for (size_t tile = 0; tile < 2; ++tile) {
    const int8_t* codebook = w.tile_codebook(super_tile * 2 + tile);
    for (size_t r = 0; r < kTileRows; ++r) {
      int32_t sum = codebook[0] * total.q;
      for (int p = 0; p < kBits; ++p) sum += codebook[1 + p] * (plane_sums[tile][p][r] - total.negative);
      sums[tile * kTileRows + r] = sum;
    }
  }
}

}  // namespace

void matmul_i32_i8row_p1to3_1x32_avx2(const PackedMatrix& w, size_t super_tile, const std::byte* lhs,
                                      size_t num_lhs, int32_t* sums) {
  using Row = void (*)(const PackedMatrix&, size_t, const std::byte*, int32_t*);
  static constexpr Row kRow[] = {accumulate<1>, accumulate<2>, accumulate<3>};
  const size_t lhs_stride = activation_tables_bytes(w.padded_cols());
  for (size_t m = 0; m < num_lhs; ++m) {
    kRow[w.bits - 1](w, super_tile, lhs + m * lhs_stride, sums + m * kSuperTileRows);
  }
}

}  // namespace whit
