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
constexpr int kVectors = kBlock / kRows;

void pack_rows_neondot(const int8_t* rows, size_t row_stride, size_t num_rows, size_t width, int8_t* packed) {
  pack_rows_in_groups<int8_t, kRowGroup>(rows, row_stride, num_rows, width, 0, packed);
}

void dot_rows_neondot(const int8_t* query, const int8_t* packed, size_t num_packed, size_t width,
                      size_t first, size_t count, int32_t* sums) {
  const size_t num_groups = (width + kRowGroup - 1) / kRowGroup;
  const size_t stride = (IntSequenceFunctions::whole_blocks(num_packed) + kBlock) * kRowGroup;
  for (size_t j = 0; j < count; j += kBlock) {
    const int8_t* rows = packed + (first + j) * kRowGroup;
    int32x4_t acc[kVectors] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    for (size_t g = 0; g < num_groups; ++g, rows += stride) {
      int32_t group;
      std::memcpy(&group, query + kRowGroup * g, sizeof(group));
      const int8x16_t q = vreinterpretq_s8_s32(vdupq_n_s32(group));
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        acc[v] = vdotq_s32(acc[v], vld1q_s8(rows + size_t(v) * kRows * kRowGroup), q);
      }
    }
    for (int v = 0; v < kVectors; ++v) vst1q_s32(sums + j + size_t(v) * kRows, acc[v]);
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
