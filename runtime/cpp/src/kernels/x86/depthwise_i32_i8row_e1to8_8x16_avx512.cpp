#include "kernels/depthwise_kernels.h"
#include "kernels/x86/avx512.h"

// Four rows of 16 channels are put in the order (channel, tap) of layout E once; then one vpdpbusd multiplies
// 16 channels by 4 taps. It needs an unsigned factor: activations plus 128, whose product with the codes is
// taken off at the start of each sum.

namespace whit {
namespace {

constexpr size_t kOutputs = 8;

WHIT_AVX512 void prepare_codes(const int8_t* codes, size_t num_groups, std::byte* prepared) {
  const __m512i offset = _mm512_set1_epi8(char(0x80));
  __m512i excess = _mm512_setzero_si512();  // (16,)
  for (size_t group = 0; group < num_groups; ++group) {
    const __m512i quad = _mm512_loadu_si512(codes + group * 64);
    excess = _mm512_dpbusd_epi32(excess, offset, quad);
    _mm512_store_si512(prepared + kCodeHeadBytes + group * 64, quad);
  }
  _mm512_store_si512(prepared, _mm512_sub_epi32(_mm512_setzero_si512(), excess));
}

WHIT_AVX512 void prepare_rows(const int8_t* rows, size_t num_rows, std::byte* prepared) {
  alignas(64) uint8_t order[64];  // (channel, tap) from (tap, channel)
  for (size_t i = 0; i < 64; ++i) order[i] = uint8_t(i % kTapGroup * kChannelTile + i / kTapGroup);
  const __m512i by = _mm512_load_si512(order), offset = _mm512_set1_epi8(char(0x80));
  for (size_t row = 0; row < num_rows; ++row) {
    const __m512i four = _mm512_loadu_si512(rows + row * kChannelTile);
    _mm512_store_si512(prepared + row * kMaxRowBytes,
                       _mm512_xor_si512(_mm512_permutexvar_epi8(by, four), offset));
  }
}

WHIT_AVX512_INLINE void accumulate_outputs(const std::byte* codes, size_t num_groups,
                                           const std::byte* const* rows, __m512i* acc) {
  const __m512i start = _mm512_load_si512(codes);
#pragma GCC unroll 8
  for (size_t m = 0; m < kOutputs; ++m) acc[m] = start;
  for (size_t at = 0; at < num_groups * 64; at += 64) {
    const __m512i code = _mm512_load_si512(codes + kCodeHeadBytes + at);
#pragma GCC unroll 8
    for (size_t m = 0; m < kOutputs; ++m) {
      acc[m] = _mm512_dpbusd_epi32(acc[m], _mm512_load_si512(rows[m] + kTapGroup * at), code);
    }
  }
}

WHIT_AVX512 void accumulate(const std::byte* codes, size_t num_groups, const std::byte* rows,
                            const uint32_t* first_rows, size_t num_outputs, int32_t* sums) {
  for (size_t m = 0; m < num_outputs; m += kOutputs) {
    const size_t count = num_outputs - m < kOutputs ? num_outputs - m : kOutputs;
    const std::byte* from[kOutputs];
    for (size_t i = 0; i < kOutputs; ++i) {
      from[i] = rows + size_t{first_rows[m + (i < count ? i : 0)]} * kMaxRowBytes;
    }
    __m512i acc[kOutputs];
    accumulate_outputs(codes, num_groups, from, acc);
#pragma GCC unroll 8
    for (size_t i = 0; i < kOutputs; ++i) {
      if (i < count) _mm512_storeu_si512(sums + (m + i) * kChannelTile, acc[i]);
    }
  }
}

}  // namespace

const DepthwiseKernel depthwise_i32_i8row_e1to8_8x16_avx512 = {
    "depthwise_i32_i8row_e1to8_8x16_avx512", Isa::kAvx512, prepare_codes, prepare_rows, accumulate};

}  // namespace whit
