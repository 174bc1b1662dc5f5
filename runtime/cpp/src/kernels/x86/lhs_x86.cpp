#include "kernels/x86/lhs_x86.h"

#include <immintrin.h>

#include <cstring>

#include "kernels/kernels.h"

#define WHIT_AVX2 __attribute__((target("avx2"))) inline

namespace whit {
namespace {

WHIT_AVX2 int32_t add_lanes(__m256i v) {
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4E));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xB1));
  return _mm_cvtsi128_si32(sum);
}

WHIT_AVX2 int32_t sum_of(const int8_t* q, size_t padded_cols) {
  __m256i sum = _mm256_setzero_si256();
  for (size_t k = 0; k < padded_cols; k += 32) {
    const __m256i row = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q + k));
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), row);
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  return add_lanes(sum);
}

// For column j of a group: in entry n, the byte of max(q, 0) where bit j of n
// is set, of max(-q, 0) where not. The 16 bytes of a lane hold 8 columns, first
// positive then negative; the low lane takes group 0 of them.
WHIT_AVX2 __m256i picks(int j) {
  alignas(32) int8_t from[32];
  for (int entry = 0; entry < 32; ++entry) {
    from[entry] = int8_t((entry >> j & 1 ? 0 : 8) + entry / 16 * 4 + j);
  }
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
}

__attribute__((target("avx2"))) void make_tables(const int8_t* q, size_t padded_cols, std::byte* lhs) {
  const __m256i pick[4] = {picks(0), picks(1), picks(2), picks(3)};
  const __m128i zero = _mm_setzero_si128();
  __m128i positive_sum = zero, negative_sum = zero;
  for (size_t k = 0; k < padded_cols; k += 8) {
    const __m128i eight = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(q + k));
    const __m128i positive = _mm_max_epi8(eight, zero);
    const __m128i negative = _mm_max_epi8(_mm_sub_epi8(zero, eight), zero);
    positive_sum = _mm_add_epi64(positive_sum, _mm_sad_epu8(positive, zero));
    negative_sum = _mm_add_epi64(negative_sum, _mm_sad_epu8(negative, zero));
    const __m256i bytes = _mm256_broadcastsi128_si256(_mm_unpacklo_epi64(positive, negative));
    const __m256i first =
        _mm256_add_epi8(_mm256_shuffle_epi8(bytes, pick[0]), _mm256_shuffle_epi8(bytes, pick[1]));
    const __m256i last =
        _mm256_add_epi8(_mm256_shuffle_epi8(bytes, pick[2]), _mm256_shuffle_epi8(bytes, pick[3]));
    const __m256i entries = _mm256_add_epi8(first, last);
    std::byte* chunk = lhs + k / 32 * 128 + k % 32 / 8 * 16;
    _mm_store_si128(reinterpret_cast<__m128i*>(chunk), _mm256_castsi256_si128(entries));
    _mm_store_si128(reinterpret_cast<__m128i*>(chunk + 64), _mm256_extracti128_si256(entries, 1));
  }
  const int32_t negatives = _mm_cvtsi128_si32(negative_sum);
  const TableSums sums{.q = _mm_cvtsi128_si32(positive_sum) - negatives, .negative = negatives};
  std::memcpy(lhs + padded_cols * 4, &sums, sizeof(sums));
}

}  // namespace

size_t summed_row_bytes(size_t padded_cols) { return i8_bytes(padded_cols) + 64; }

void copy_summed_row(const int8_t* q, size_t padded_cols, std::byte* lhs) {
  std::memcpy(lhs, q, padded_cols);
  const int32_t sum = sum_of(q, padded_cols);
  std::memcpy(lhs + i8_bytes(padded_cols), &sum, sizeof(sum));
}

size_t activation_tables_bytes(size_t padded_cols) { return padded_cols * 4 + 64; }

void make_activation_tables(const int8_t* q, size_t padded_cols, std::byte* lhs) {
  make_tables(q, padded_cols, lhs);
}

}  // namespace whit
