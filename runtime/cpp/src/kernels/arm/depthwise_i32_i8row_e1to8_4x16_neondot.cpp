#include <arm_neon.h>

#include <cstring>

#include "kernels/depthwise_kernels.h"

// Only what follows may use dot products: an inline function of the library compiled with them could be the
// one that the linker keeps for all.
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif

// Four rows of 16 channels are put in the order (channel, tap) of layout E once; then one dot product
// multiplies 4 channels by 4 taps.

namespace whit {
namespace {

constexpr size_t kOutputs = 4;

void prepare_codes(const int8_t* codes, size_t num_groups, std::byte* prepared) {
  std::memcpy(prepared, codes, num_groups * kChannelTile * kTapGroup);
}

void prepare_rows(const int8_t* rows, size_t num_rows, std::byte* prepared) {
  auto* out = reinterpret_cast<int8_t*>(prepared);
  for (size_t row = 0; row < num_rows; ++row, rows += kChannelTile, out += kMaxRowBytes) {
    const int8x16x4_t four = {{vld1q_s8(rows), vld1q_s8(rows + kChannelTile),
                               vld1q_s8(rows + 2 * kChannelTile), vld1q_s8(rows + 3 * kChannelTile)}};
    vst4q_s8(out, four);
  }
}

void accumulate(const std::byte* codes, size_t num_groups, const std::byte* rows, const uint32_t* first_rows,
                size_t num_outputs, int32_t* sums) {
  for (size_t m = 0; m < num_outputs; m += kOutputs) {
    const size_t count = num_outputs - m < kOutputs ? num_outputs - m : kOutputs;
    const int8_t* from[kOutputs];
    for (size_t i = 0; i < kOutputs; ++i) {
      from[i] = reinterpret_cast<const int8_t*>(rows) + first_rows[m + (i < count ? i : 0)] * kMaxRowBytes;
    }
    int32x4_t acc[kOutputs][4];
    for (auto& output : acc) output[0] = output[1] = output[2] = output[3] = vdupq_n_s32(0);
    const auto* code = reinterpret_cast<const int8_t*>(codes);
    for (size_t group = 0; group < num_groups; ++group, code += 64) {
#pragma GCC unroll 4
      for (size_t quarter = 0; quarter < 4; ++quarter) {
        const int8x16_t four = vld1q_s8(code + 16 * quarter);
#pragma GCC unroll 4
        for (size_t i = 0; i < kOutputs; ++i) {
          const int8_t* row = from[i] + group * kTapGroup * kMaxRowBytes + 16 * quarter;
          acc[i][quarter] = vdotq_s32(acc[i][quarter], four, vld1q_s8(row));
        }
      }
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < kOutputs; ++i) {
      if (i >= count) break;
      for (int quarter = 0; quarter < 4; ++quarter) {
        vst1q_s32(sums + (m + i) * kChannelTile + 4 * quarter, acc[i][quarter]);
      }
    }
  }
}

}  // namespace

extern const DepthwiseKernel depthwise_i32_i8row_e1to8_4x16_neondot = {
    "depthwise_i32_i8row_e1to8_4x16_neondot", Isa::kNeonDot, prepare_codes, prepare_rows, accumulate};

}  // namespace whit

#ifdef __clang__
#pragma clang attribute pop
#endif
