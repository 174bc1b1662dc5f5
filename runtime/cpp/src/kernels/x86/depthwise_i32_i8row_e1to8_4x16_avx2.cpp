#include <immintrin.h>

#include "kernels/depthwise_kernels.h"

// In 16 bits, two taps at a time: |q| of 128 and codes of 7 bits and more leave maddubs no room. A pair of
// rows is interleaved once and serves every output that sees it.
#define WHIT_AVX2 __attribute__((target("avx2")))

namespace whit {
namespace {

constexpr size_t kPairValues = 2 * kChannelTile;  // (16 channels, 2 taps)
constexpr size_t kOutputs = 4;

void prepare_codes(const int8_t* codes, size_t num_groups, std::byte* prepared) {
  auto* out = reinterpret_cast<int16_t*>(prepared);  // (pairs of taps, 16, 2)
  for (size_t pair = 0; pair < 2 * num_groups; ++pair, out += kPairValues) {
    const int8_t* from = codes + pair / 2 * kChannelTile * kTapGroup + pair % 2 * 2;
    for (size_t c = 0; c < kChannelTile; ++c) {
      out[2 * c] = from[c * kTapGroup];
      out[2 * c + 1] = from[c * kTapGroup + 1];
    }
  }
}

WHIT_AVX2 void prepare_rows(const int8_t* rows, size_t num_rows, std::byte* prepared) {
  auto* out = reinterpret_cast<__m256i*>(prepared);
  for (size_t row = 0; row < num_rows; ++row, out += 2) {
    const __m128i first = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows + row * kChannelTile));
    const __m128i second = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows + (row + 1) * kChannelTile));
    _mm256_store_si256(out, _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(first, second)));
    _mm256_store_si256(out + 1, _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(first, second)));
  }
}

WHIT_AVX2 void accumulate_outputs(const std::byte* codes, size_t num_pairs, const std::byte* const* rows,
                                  __m256i (*sums)[2]) {
  __m256i acc[kOutputs][2];
#pragma GCC unroll 4
  for (size_t m = 0; m < kOutputs; ++m) acc[m][0] = acc[m][1] = _mm256_setzero_si256();
  for (size_t at = 0; at < num_pairs * 64; at += 64) {
    const __m256i low = _mm256_load_si256(reinterpret_cast<const __m256i*>(codes + at));
    const __m256i high = _mm256_load_si256(reinterpret_cast<const __m256i*>(codes + at + 32));
#pragma GCC unroll 4
    for (size_t m = 0; m < kOutputs; ++m) {
      const auto* pair = reinterpret_cast<const __m256i*>(rows[m] + 2 * at);
      acc[m][0] = _mm256_add_epi32(acc[m][0], _mm256_madd_epi16(low, _mm256_load_si256(pair)));
      acc[m][1] = _mm256_add_epi32(acc[m][1], _mm256_madd_epi16(high, _mm256_load_si256(pair + 1)));
    }
  }
#pragma GCC unroll 4
  for (size_t m = 0; m < kOutputs; ++m) {
    sums[m][0] = acc[m][0];
    sums[m][1] = acc[m][1];
  }
}

WHIT_AVX2 void accumulate(const std::byte* codes, size_t num_groups, const std::byte* rows,
                          const uint32_t* first_rows, size_t num_outputs, int32_t* sums) {
  for (size_t m = 0; m < num_outputs; m += kOutputs) {
    const size_t count = num_outputs - m < kOutputs ? num_outputs - m : kOutputs;
    const std::byte* from[kOutputs];
    for (size_t i = 0; i < kOutputs; ++i) {
      from[i] = rows + size_t{first_rows[m + (i < count ? i : 0)]} * kMaxRowBytes;
    }
    __m256i out[kOutputs][2];
    accumulate_outputs(codes, 2 * num_groups, from, out);
    for (size_t i = 0; i < count; ++i) {
      auto* to = reinterpret_cast<__m256i*>(sums + (m + i) * kChannelTile);
      _mm256_storeu_si256(to, out[i][0]);
      _mm256_storeu_si256(to + 1, out[i][1]);
    }
  }
}

}  // namespace

const DepthwiseKernel depthwise_i32_i8row_e1to8_4x16_avx2 = {
    "depthwise_i32_i8row_e1to8_4x16_avx2", Isa::kAvx2, prepare_codes, prepare_rows, accumulate};

}  // namespace whit
