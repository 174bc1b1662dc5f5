#include <immintrin.h>

#include "kernels/x86/int_sequence_functions_x86.h"

#define WHIT_TARGET __attribute__((target("avx2")))
#include "kernels/int_sequence_loops.h"

// vpmaddwd multiplies 16 bits and adds neighbours: rows are packed in pairs of channels, values in pairs of
// rows, all widened once.

namespace whit {
namespace {

constexpr size_t kLanes = 8;
constexpr size_t kGroup = 2;
constexpr size_t kBlock = IntSequenceFunctions::kRowBlock;

#define WHIT_AVX2_INLINE WHIT_TARGET __attribute__((always_inline)) inline

WHIT_AVX2_INLINE __m256i load(const int16_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

WHIT_AVX2_INLINE __m256i load_pair(const int16_t* from) {
  int32_t pair;
  std::memcpy(&pair, from, sizeof(pair));
  return _mm256_set1_epi32(pair);
}

WHIT_TARGET void pack_rows_avx2(const int8_t* rows, size_t row_stride, size_t num_rows, size_t width,
                                int8_t* packed) {
  pack_rows_in_groups<int16_t, kGroup>(rows, row_stride, num_rows, width, 0, packed);
}

WHIT_TARGET void pack_values_avx2(const int8_t* rows, size_t row_stride, size_t num_rows, size_t width,
                                  int8_t* packed) {
  pack_values_in_groups<kGroup>(rows, row_stride, num_rows, width, packed);
}

// kVectors vectors of 8 rows.
template <int kVectors>
WHIT_AVX2_INLINE void dot_block(const int8_t* query, const int16_t* packed, size_t num_groups, size_t stride,
                                int32_t* sums) {
  __m256i acc[kVectors] = {};
  for (size_t g = 0; g < num_groups; ++g, packed += stride) {
    const __m256i q = _mm256_set1_epi32((query[2 * g] & 0xFFFF) | query[2 * g + 1] * 65536);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const __m256i rows = load(packed + size_t(v) * kLanes * kGroup);
      acc[v] = _mm256_add_epi32(acc[v], _mm256_madd_epi16(rows, q));
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + size_t(v) * kLanes), acc[v]);
  }
}

WHIT_TARGET void dot_rows_avx2(const int8_t* query, const int8_t* packed, size_t num_packed, size_t width,
                               size_t first, size_t count, int32_t* sums) {
  const size_t num_groups = (width + kGroup - 1) / kGroup;
  const size_t stride = (IntSequenceFunctions::whole_blocks(num_packed) + kBlock) * kGroup;
  const int16_t* rows = reinterpret_cast<const int16_t*>(packed) + first * kGroup;
  size_t j = 0;
  for (; j + 4 * kBlock <= count; j += 4 * kBlock) {
    dot_block<8>(query, rows + j * kGroup, num_groups, stride, sums + j);
  }
  for (; j < count; j += kBlock) dot_block<2>(query, rows + j * kGroup, num_groups, stride, sums + j);
}

// kVectors vectors of 8 channels.
template <int kVectors>
WHIT_AVX2_INLINE void weigh_block(const int16_t* weight, const int16_t* values, size_t num_pairs,
                                  size_t stride, int32_t* sums) {
  __m256i acc[kVectors] = {};
  for (size_t j = 0; j < num_pairs; ++j, values += stride) {
    const __m256i w = load_pair(weight + kGroup * j);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const __m256i pairs = load(values + size_t(v) * kLanes * kGroup);
      acc[v] = _mm256_add_epi32(acc[v], _mm256_madd_epi16(pairs, w));
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + size_t(v) * kLanes), acc[v]);
  }
}

WHIT_TARGET void weigh_values_avx2(const int16_t* weight, const int8_t* packed, size_t num_rows, size_t width,
                                   int32_t* sums) {
  const size_t padded_width = IntSequenceFunctions::whole_blocks(width);
  const size_t stride = padded_width * kGroup, num_pairs = (num_rows + 1) / kGroup;
  const int16_t* values = reinterpret_cast<const int16_t*>(packed);
  size_t c = 0;
  for (; c + 4 * kBlock <= padded_width; c += 4 * kBlock) {
    weigh_block<8>(weight, values + c * kGroup, num_pairs, stride, sums + c);
  }
  for (; c < padded_width; c += kBlock) {
    weigh_block<2>(weight, values + c * kGroup, num_pairs, stride, sums + c);
  }
}

constexpr IntSequenceFunctions make_avx2() {
  IntSequenceFunctions functions = make_int_sequence_functions(Isa::kAvx2);
  functions.pack_rows = pack_rows_avx2;
  functions.dot_rows = dot_rows_avx2;
  functions.pack_values = pack_values_avx2;
  functions.weigh_values = weigh_values_avx2;
  return functions;
}

}  // namespace

const IntSequenceFunctions kIntSequenceFunctionsAvx2 = make_avx2();

}  // namespace whit
