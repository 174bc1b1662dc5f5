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

// kVectors vectors of 16 rows.
template <int kVectors>
WHIT_AVX512_INLINE void dot_block(const int8_t* query, __m512i start, const int8_t* packed, size_t num_groups,
                                  size_t stride, int32_t* sums) {
  __m512i acc[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) acc[v] = start;
  for (size_t g = 0; g < num_groups; ++g, packed += stride) {
    const __m512i q = load_group(query + kRowGroup * g);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      acc[v] = _mm512_dpbusd_epi32(acc[v], _mm512_loadu_si512(packed + size_t(v) * kLanes * kRowGroup), q);
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) _mm512_storeu_si512(sums + size_t(v) * kLanes, acc[v]);
}

WHIT_AVX512 void dot_rows_avx512(const int8_t* query, const int8_t* packed, size_t num_packed, size_t width,
                                 size_t first, size_t count, int32_t* sums) {
  const size_t num_groups = (width + kRowGroup - 1) / kRowGroup;
  const size_t stride = (IntSequenceFunctions::whole_blocks(num_packed) + kLanes) * kRowGroup;
  int32_t query_sum = 0;
  for (size_t c = 0; c < width; ++c) query_sum += query[c];
  const __m512i start = _mm512_set1_epi32(-128 * query_sum);
  packed += first * kRowGroup;
  size_t j = 0;
  for (; j + 4 * kLanes <= count; j += 4 * kLanes) {
    dot_block<4>(query, start, packed + j * kRowGroup, num_groups, stride, sums + j);
  }
  for (; j < count; j += kLanes) {
    dot_block<1>(query, start, packed + j * kRowGroup, num_groups, stride, sums + j);
  }
}

using Weigh = void(const int16_t* weight, const int16_t* values, size_t num_pairs, size_t stride,
                   int32_t* sums);

// kVectors vectors of 16 channels, the pairs of rows in two chains: one instruction waits for the last.
template <int kVectors>
WHIT_AVX512 void weigh_block(const int16_t* weight, const int16_t* values, size_t num_pairs, size_t stride,
                             int32_t* sums) {
  __m512i even[kVectors] = {}, odd[kVectors] = {};
  size_t j = 0;
  for (; j + 2 <= num_pairs; j += 2, values += 2 * stride) {
    const __m512i first = load_group(weight + kValueGroup * j);
    const __m512i second = load_group(weight + kValueGroup * (j + 1));
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const int16_t* from = values + size_t(v) * kLanes * kValueGroup;
      even[v] = _mm512_dpwssd_epi32(even[v], _mm512_loadu_si512(from), first);
      odd[v] = _mm512_dpwssd_epi32(odd[v], _mm512_loadu_si512(from + stride), second);
    }
  }
  const bool is_odd = j < num_pairs;
  const __m512i last = is_odd ? load_group(weight + kValueGroup * j) : _mm512_setzero_si512();
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    __m512i sum = _mm512_add_epi32(even[v], odd[v]);
    if (is_odd) {
      const int16_t* from = values + size_t(v) * kLanes * kValueGroup;
      sum = _mm512_dpwssd_epi32(sum, _mm512_loadu_si512(from), last);
    }
    _mm512_storeu_si512(sums + size_t(v) * kLanes, sum);
  }
}

WHIT_AVX512 void weigh_values_avx512(const int16_t* weight, const int8_t* packed, size_t num_rows,
                                     size_t width, int32_t* sums) {
  const size_t padded_width = IntSequenceFunctions::whole_blocks(width);
  const size_t stride = padded_width * kValueGroup, num_pairs = (num_rows + 1) / kValueGroup;
  const int16_t* values = reinterpret_cast<const int16_t*>(packed);
  static constexpr Weigh* kWeigh[] = {weigh_block<1>, weigh_block<2>, weigh_block<3>, weigh_block<4>};
  for (size_t c = 0; c < padded_width; c += 4 * kLanes) {
    const size_t num_vectors = std::min<size_t>(4, (padded_width - c) / kLanes);
    kWeigh[num_vectors - 1](weight, values + c * kValueGroup, num_pairs, stride, sums + c);
  }
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
