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
constexpr size_t kVectors = kBlock / kLanes;
constexpr size_t kQueries = IntSequenceFunctions::kQueries;

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

// 16 sums for each of kQueries rows of factors: a pair of factors meets two vectors of pairs at every step.
WHIT_AVX2_INLINE void add_products(const int16_t* factors, size_t factor_stride, const int16_t* pairs,
                                   size_t pair_stride, size_t num_steps, int32_t* sums, size_t sum_stride) {
  __m256i acc[kQueries][kVectors] = {};
  for (size_t step = 0; step < num_steps; ++step, pairs += pair_stride) {
    __m256i part[kVectors];
#pragma GCC unroll 2
    for (size_t v = 0; v < kVectors; ++v) part[v] = load(pairs + v * kLanes * kGroup);
#pragma GCC unroll 4
    for (size_t i = 0; i < kQueries; ++i) {
      const __m256i factor = load_pair(factors + i * factor_stride + kGroup * step);
#pragma GCC unroll 2
      for (size_t v = 0; v < kVectors; ++v) {
        acc[i][v] = _mm256_add_epi32(acc[i][v], _mm256_madd_epi16(part[v], factor));
      }
    }
  }
#pragma GCC unroll 4
  for (size_t i = 0; i < kQueries; ++i) {
#pragma GCC unroll 2
    for (size_t v = 0; v < kVectors; ++v) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + i * sum_stride + v * kLanes), acc[i][v]);
    }
  }
}

WHIT_TARGET void dot_rows_avx2(const int8_t* queries, const int8_t* packed, size_t num_packed, size_t width,
                               size_t first, size_t count, int32_t* sums, size_t stride) {
  const size_t num_groups = (width + kGroup - 1) / kGroup;
  const size_t group_stride = (IntSequenceFunctions::whole_blocks(num_packed) + kBlock) * kGroup;
  const int16_t* factors = reinterpret_cast<const int16_t*>(queries);
  const int16_t* rows = reinterpret_cast<const int16_t*>(packed) + first * kGroup;
  for (size_t j = 0; j < count; j += kBlock) {
    add_products(factors, IntSequenceFunctions::whole_blocks(width), rows + j * kGroup, group_stride,
                 num_groups, sums + j, stride);
  }
}

WHIT_TARGET void weigh_values_avx2(const int16_t* weight, size_t stride, const int8_t* packed,
                                   size_t num_rows, size_t width, int32_t* sums) {
  const size_t padded_width = IntSequenceFunctions::whole_blocks(width);
  const int16_t* values = reinterpret_cast<const int16_t*>(packed);
  for (size_t c = 0; c < padded_width; c += kBlock) {
    add_products(weight, stride, values + c * kGroup, padded_width * kGroup, (num_rows + 1) / kGroup,
                 sums + c, padded_width);
  }
}

constexpr IntSequenceFunctions make_avx2() {
  IntSequenceFunctions functions = make_int_sequence_functions(Isa::kAvx2);
  functions.pack_queries = pack_queries_as<int16_t>;
  functions.pack_rows = pack_rows_avx2;
  functions.dot_rows = dot_rows_avx2;
  functions.pack_values = pack_values_avx2;
  functions.weigh_values = weigh_values_avx2;
  return functions;
}

}  // namespace

const IntSequenceFunctions kIntSequenceFunctionsAvx2 = make_avx2();

}  // namespace whit
