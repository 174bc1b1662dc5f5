#include "kernels/x86/avx512.h"
#include "kernels/x86/integer_functions_x86.h"
#include "whit/requantize.h"

#define WHIT_LANES 16
#define WHIT_TARGET WHIT_AVX512

namespace whit {
namespace {

using Int = __m512i;

WHIT_AVX512_INLINE Int load(const int32_t* from) { return _mm512_loadu_si512(from); }
WHIT_AVX512_INLINE void store(int32_t* to, Int v) { _mm512_storeu_si512(to, v); }
WHIT_AVX512_INLINE Int splat(int32_t value) { return _mm512_set1_epi32(value); }
WHIT_AVX512_INLINE Int add(Int a, Int b) { return _mm512_add_epi32(a, b); }
WHIT_AVX512_INLINE Int greatest(Int a, Int b) { return _mm512_max_epi32(a, b); }
WHIT_AVX512_INLINE Int least(Int a, Int b) { return _mm512_min_epi32(a, b); }
WHIT_AVX512_INLINE void narrow(Int v, int8_t* to) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(v));
}
WHIT_AVX512_INLINE void narrow(Int v, int16_t* to) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(v));
}
WHIT_AVX512_INLINE Int widen(const int16_t* from) {
  return _mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}

// Both halves of what pairs of values are multiplied by: even ones in place, odd ones moved down.
struct Factor {
  Int multiplier[2], shift[2], half[2];
};

WHIT_AVX512_INLINE Factor factor(Int multiplier, Int shift) {
  const Int one = _mm512_set1_epi64(1);
  Factor by;
  by.multiplier[0] = multiplier;
  by.multiplier[1] = _mm512_srli_epi64(multiplier, 32);
  by.shift[0] = _mm512_and_si512(shift, _mm512_set1_epi64(0xFFFFFFFF));
  by.shift[1] = _mm512_srli_epi64(shift, 32);
  for (int i = 0; i < 2; ++i) by.half[i] = _mm512_sllv_epi64(one, _mm512_sub_epi64(by.shift[i], one));
  return by;
}

template <bool kClamp>
WHIT_AVX512_INLINE Int requant_half(Int a, const Factor& by, int i) {
  const Int limit = _mm512_set1_epi64(kRequantizedLimit), least = _mm512_set1_epi64(-kRequantizedLimit);
  const Int sum = _mm512_add_epi64(_mm512_mul_epi32(a, by.multiplier[i]), by.half[i]);
  const Int rounded = _mm512_srav_epi64(sum, by.shift[i]);
  return kClamp ? _mm512_min_epi64(_mm512_max_epi64(rounded, least), limit) : rounded;
}

template <bool kClamp>
WHIT_AVX512_INLINE Int requant(Int a, const Factor& by) {
  const Int even = requant_half<kClamp>(a, by, 0);
  const Int odd = requant_half<kClamp>(_mm512_srli_epi64(a, 32), by, 1);
  return _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
}

}  // namespace
}  // namespace whit

#include "kernels/integer_functions_lanes.h"

namespace whit {

const IntegerFunctions kIntegerFunctionsAvx512 = {Isa::kAvx512, requantize_row_lanes, requantize_all_lanes,
                                                  finish_rows_lanes<int8_t>, finish_rows_lanes<int16_t>};

}  // namespace whit
