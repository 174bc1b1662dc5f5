#include <immintrin.h>

#include "kernels/x86/integer_functions_x86.h"
#include "whit/requantize.h"

#define WHIT_LANES 8
#define WHIT_TARGET __attribute__((target("avx2")))
#define WHIT_AVX2_INLINE WHIT_TARGET __attribute__((always_inline)) inline

namespace whit {
namespace {

using Int = __m256i;

WHIT_AVX2_INLINE Int load(const int32_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
WHIT_AVX2_INLINE void store(int32_t* to, Int v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v); }
WHIT_AVX2_INLINE Int splat(int32_t value) { return _mm256_set1_epi32(value); }
WHIT_AVX2_INLINE Int add(Int a, Int b) { return _mm256_add_epi32(a, b); }
WHIT_AVX2_INLINE Int greatest(Int a, Int b) { return _mm256_max_epi32(a, b); }
WHIT_AVX2_INLINE Int least(Int a, Int b) { return _mm256_min_epi32(a, b); }
WHIT_AVX2_INLINE __m128i pack16(Int v) {
  return _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}
WHIT_AVX2_INLINE void narrow(Int v, int8_t* to) {
  const __m128i words = pack16(v);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(words, words));
}
WHIT_AVX2_INLINE void narrow(Int v, int16_t* to) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), pack16(v));
}
WHIT_AVX2_INLINE Int widen(const int16_t* from) {
  return _mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

// Both halves of what pairs of values are multiplied by: even ones in place, odd ones moved down. AVX2 shifts
// 64 bits right only as unsigned: 2^63 goes in before, with the half, and its share is taken off behind.
struct Factor {
  Int multiplier[2], shift[2], half[2], share[2];
};

WHIT_AVX2_INLINE Factor factor(Int multiplier, Int shift) {
  const Int one = _mm256_set1_epi64x(1), sign = _mm256_set1_epi64x(INT64_MIN);
  Factor by;
  by.multiplier[0] = multiplier;
  by.multiplier[1] = _mm256_srli_epi64(multiplier, 32);
  by.shift[0] = _mm256_and_si256(shift, _mm256_set1_epi64x(0xFFFFFFFF));
  by.shift[1] = _mm256_srli_epi64(shift, 32);
  for (int i = 0; i < 2; ++i) {
    by.half[i] = _mm256_xor_si256(_mm256_sllv_epi64(one, _mm256_sub_epi64(by.shift[i], one)), sign);
    by.share[i] = _mm256_srlv_epi64(sign, by.shift[i]);
  }
  return by;
}

template <bool kClamp>
WHIT_AVX2_INLINE Int requant_half(Int a, const Factor& by, int i) {
  const Int sum = _mm256_add_epi64(_mm256_mul_epi32(a, by.multiplier[i]), by.half[i]);
  const Int rounded = _mm256_sub_epi64(_mm256_srlv_epi64(sum, by.shift[i]), by.share[i]);
  if constexpr (!kClamp) return rounded;
  const Int high = _mm256_set1_epi64x(kRequantizedLimit), low = _mm256_set1_epi64x(-kRequantizedLimit);
  const Int below = _mm256_blendv_epi8(rounded, high, _mm256_cmpgt_epi64(rounded, high));
  return _mm256_blendv_epi8(below, low, _mm256_cmpgt_epi64(low, below));
}

template <bool kClamp>
WHIT_AVX2_INLINE Int requant(Int a, const Factor& by) {
  const Int even = requant_half<kClamp>(a, by, 0);
  const Int odd = requant_half<kClamp>(_mm256_srli_epi64(a, 32), by, 1);
  return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}

}  // namespace
}  // namespace whit

#include "kernels/integer_functions_lanes.h"

namespace whit {

const IntegerFunctions kIntegerFunctionsAvx2 = {Isa::kAvx2, requantize_row_lanes, requantize_all_lanes,
                                                finish_rows_lanes<int8_t>, finish_rows_lanes<int16_t>};

}  // namespace whit
