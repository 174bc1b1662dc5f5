#include "kernels/x86/avx512.h"
#include "kernels/x86/int_sequence_functions_x86.h"

#define WHIT_TARGET WHIT_AVX512
#include "kernels/int_sequence_loops.h"

// vpdpbusd wants an unsigned factor: keys are packed plus 128, and 128 times the query's sum is taken off
// first. vpdpwssd adds the products of two rows' weights and values.

namespace whit {
namespace {

constexpr size_t kLanes = 16;
constexpr size_t kRowGroup = 4;
constexpr size_t kValueGroup = 2;
constexpr size_t kQueries = IntSequenceFunctions::kQueries;

WHIT_AVX512 void look_up_avx512(const int8_t* x, const int8_t* table, size_t count, int8_t* y) {
  const __m512i part[4] = {_mm512_loadu_si512(table), _mm512_loadu_si512(table + 64),
                           _mm512_loadu_si512(table + 128), _mm512_loadu_si512(table + 192)};
  for (size_t i = 0; i < count; i += 64) {
    const size_t rest = count - i;
    const __mmask64 mask = rest < 64 ? (uint64_t{1} << rest) - 1 : ~uint64_t{0};
    const __m512i index = _mm512_maskz_loadu_epi8(mask, x + i);  // bits 0 to 6 look up a half of the table
    const __m512i negative = _mm512_permutex2var_epi8(part[0], index, part[1]);
    const __m512i positive = _mm512_permutex2var_epi8(part[2], index, part[3]);
    const __m512i found = _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), positive, negative);
    _mm512_mask_storeu_epi8(y + i, mask, found);
  }
}

WHIT_AVX512 void pack_rows_avx512(const int8_t* rows, size_t row_stride, size_t num_rows, size_t width,
                                  int8_t* packed) {
  pack_rows_in_groups<int8_t, kRowGroup>(rows, row_stride, num_rows, width, INT8_MIN, packed);
}

WHIT_AVX512 void pack_values_avx512(const int8_t* rows, size_t row_stride, size_t num_rows, size_t width,
                                    int8_t* packed) {
  pack_values_in_groups<kValueGroup>(rows, row_stride, num_rows, width, packed);
}

template <typename Value>
WHIT_AVX512_INLINE __m512i load_group(const Value* from) {
  int32_t group;
  std::memcpy(&group, from, sizeof(group));
  return _mm512_set1_epi32(group);
}

struct DotProducts {
  static constexpr size_t kGroup = kRowGroup;
  static WHIT_AVX512_INLINE __m512i add(__m512i sum, __m512i rows, __m512i query) {
    return _mm512_dpbusd_epi32(sum, rows, query);
  }
};

struct WeightedValues {
  static constexpr size_t kGroup = kValueGroup;
  static WHIT_AVX512_INLINE __m512i add(__m512i sum, __m512i values, __m512i weight) {
    return _mm512_dpwssd_epi32(sum, values, weight);
  }
};

// What one step of products reads; strides are in values.
template <typename Value, typename Factor>
struct Operands {
  const Factor* factors;  // (kQueries, factor_stride)
  size_t factor_stride;
  const Value* values;  // (num_steps, value_stride)
  size_t value_stride;
  size_t num_steps;
};

// 16 kVectors sums for each of kQueries rows of factors: a group of factors meets kVectors vectors of groups.
template <typename Products, size_t kVectors, typename Value, typename Factor>
WHIT_AVX512_INLINE void add_products(const Operands<Value, Factor>& in, const __m512i* start, int32_t* sums,
                                     size_t sum_stride) {
  __m512i acc[kQueries][kVectors];
#pragma GCC unroll 4
  for (size_t i = 0; i < kQueries; ++i) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) acc[i][v] = start[i];
  }
  const Value* values = in.values;
  for (size_t step = 0; step < in.num_steps; ++step, values += in.value_stride) {
    __m512i part[kVectors];
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) {
      part[v] = _mm512_loadu_si512(values + v * kLanes * Products::kGroup);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < kQueries; ++i) {
      const __m512i factor = load_group(in.factors + i * in.factor_stride + Products::kGroup * step);
#pragma GCC unroll 4
      for (size_t v = 0; v < kVectors; ++v) acc[i][v] = Products::add(acc[i][v], part[v], factor);
    }
  }
#pragma GCC unroll 4
  for (size_t i = 0; i < kQueries; ++i) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) {
      _mm512_storeu_si512(sums + i * sum_stride + v * kLanes, acc[i][v]);
    }
  }
}

// All of `count` sums, in vectors of 16, four at once as long as there are four.
template <typename Products, typename Value, typename Factor>
WHIT_AVX512_INLINE void add_all_products(Operands<Value, Factor> in, size_t count, const __m512i* start,
                                         int32_t* sums, size_t sum_stride) {
  size_t j = 0;
  for (; j + 3 * kLanes < count; j += 4 * kLanes, in.values += 4 * kLanes * Products::kGroup) {
    add_products<Products, 4>(in, start, sums + j, sum_stride);
  }
  const size_t num_vectors = j < count ? (count - j + kLanes - 1) / kLanes : 0;
  if (num_vectors == 1) add_products<Products, 1>(in, start, sums + j, sum_stride);
  if (num_vectors == 2) add_products<Products, 2>(in, start, sums + j, sum_stride);
  if (num_vectors == 3) add_products<Products, 3>(in, start, sums + j, sum_stride);
}

WHIT_AVX512 void dot_rows_avx512(const int8_t* queries, const int8_t* packed, size_t num_packed, size_t width,
                                 size_t first, size_t count, int32_t* sums, size_t stride) {
  const size_t padded_width = IntSequenceFunctions::whole_blocks(width);
  __m512i start[kQueries];
  for (size_t i = 0; i < kQueries; ++i) {
    int32_t query_sum = 0;
    for (size_t c = 0; c < width; ++c) query_sum += queries[i * padded_width + c];
    start[i] = _mm512_set1_epi32(-128 * query_sum);
  }
  add_all_products<DotProducts>(
      Operands<int8_t, int8_t>{
          .factors = queries,
          .factor_stride = padded_width,
          .values = packed + first * kRowGroup,
          .value_stride = (IntSequenceFunctions::whole_blocks(num_packed) + kLanes) * kRowGroup,
          .num_steps = (width + kRowGroup - 1) / kRowGroup},
      count, start, sums, stride);
}

WHIT_AVX512 void weigh_values_avx512(const int16_t* weight, size_t stride, const int8_t* packed,
                                     size_t num_rows, size_t width, int32_t* sums) {
  const size_t padded_width = IntSequenceFunctions::whole_blocks(width);
  const __m512i start[kQueries] = {};
  add_all_products<WeightedValues>(
      Operands<int16_t, int16_t>{.factors = weight,
                                 .factor_stride = stride,
                                 .values = reinterpret_cast<const int16_t*>(packed),
                                 .value_stride = padded_width * kValueGroup,
                                 .num_steps = (num_rows + 1) / kValueGroup},
      padded_width, start, sums, padded_width);
}

constexpr IntSequenceFunctions make_avx512() {
  IntSequenceFunctions functions = make_int_sequence_functions(Isa::kAvx512);
  functions.look_up = look_up_avx512;
  functions.pack_rows = pack_rows_avx512;
  functions.dot_rows = dot_rows_avx512;
  functions.pack_values = pack_values_avx512;
  functions.weigh_values = weigh_values_avx512;
  return functions;
}

}  // namespace

const IntSequenceFunctions kIntSequenceFunctionsAvx512 = make_avx512();

}  // namespace whit
