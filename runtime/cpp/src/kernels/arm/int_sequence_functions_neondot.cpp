#include <arm_neon.h>

#include <algorithm>
#include <cstring>

#include "kernels/arm/int_sequence_functions_arm.h"

// Only what follows may use dot products: an inline function of the library compiled with them could be the
// one that the linker keeps for all.
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif

#define WHIT_TARGET
#include "kernels/int_sequence_loops.h"

// Rows are packed in groups of 4 channels: sdot multiplies 4 rows of them at once.

namespace whit {
namespace {

constexpr size_t kRowGroup = 4;
constexpr size_t kRows = 4;  // of one vector
constexpr size_t kBlock = IntSequenceFunctions::kRowBlock;
constexpr size_t kVectors = kBlock / kRows;
constexpr size_t kQueries = IntSequenceFunctions::kQueries;

void pack_rows_neondot(const int8_t* rows, size_t row_stride, size_t num_rows, size_t width, int8_t* packed) {
  pack_rows_in_groups<int8_t, kRowGroup>(rows, row_stride, num_rows, width, 0, packed);
}

void dot_rows_neondot(const int8_t* queries, const int8_t* packed, size_t num_packed, size_t width,
                      size_t first, size_t count, int32_t* sums, size_t stride) {
  const size_t query_stride = IntSequenceFunctions::whole_blocks(width);
  const size_t num_groups = (width + kRowGroup - 1) / kRowGroup;
  const size_t group_stride = (IntSequenceFunctions::whole_blocks(num_packed) + kBlock) * kRowGroup;
  for (size_t j = 0; j < count; j += kBlock) {
    const int8_t* rows = packed + (first + j) * kRowGroup;
    int32x4_t acc[kQueries][kVectors] = {};
    for (size_t g = 0; g < num_groups; ++g, rows += group_stride) {
      int8x16_t part[kVectors];
#pragma GCC unroll 4
      for (size_t v = 0; v < kVectors; ++v) part[v] = vld1q_s8(rows + v * kRows * kRowGroup);
#pragma GCC unroll 4
      for (size_t i = 0; i < kQueries; ++i) {
        int32_t group;
        std::memcpy(&group, queries + i * query_stride + kRowGroup * g, sizeof(group));
        const int8x16_t q = vreinterpretq_s8_s32(vdupq_n_s32(group));
#pragma GCC unroll 4
        for (size_t v = 0; v < kVectors; ++v) acc[i][v] = vdotq_s32(acc[i][v], part[v], q);
      }
    }
    for (size_t i = 0; i < kQueries; ++i) {
      for (size_t v = 0; v < kVectors; ++v) vst1q_s32(sums + i * stride + j + v * kRows, acc[i][v]);
    }
  }
}

constexpr IntSequenceFunctions make_neondot() {
  IntSequenceFunctions functions = make_int_sequence_functions(Isa::kNeonDot);
  functions.look_up = look_up_neon;
  functions.pack_rows = pack_rows_neondot;
  functions.dot_rows = dot_rows_neondot;
  functions.pack_values = pack_values_neon;
  functions.weigh_values = weigh_values_neon;
  return functions;
}

}  // namespace

const IntSequenceFunctions kIntSequenceFunctionsNeonDot = make_neondot();

}  // namespace whit

#ifdef __clang__
#pragma clang attribute pop
#endif
