#include <arm_neon.h>

#include <cstring>

#include "kernels/depthwise_kernels.h"

// Codes tap after tap, rows as they are. Two products fit 16 bits, 2 * 127 * 128 < 2^15, unless a code is the
// unused index 0 of 8 bits (-128): the head says so.

namespace whit {
namespace {

constexpr size_t kOutputs = 2;

void prepare_codes(const int8_t* codes, size_t num_groups, std::byte* prepared) {
  auto* out = reinterpret_cast<int8_t*>(prepared + kCodeHeadBytes);  // (taps, 16)
  int8x16_t least = vdupq_n_s8(0);
  for (size_t group = 0; group < num_groups; ++group, codes += 64) {
    const int8x16x4_t taps = vld4q_s8(codes);
    for (size_t tap = 0; tap < kTapGroup; ++tap, out += kChannelTile) {
      least = vminq_s8(least, taps.val[tap]);
      vst1q_s8(out, taps.val[tap]);
    }
  }
  prepared[0] = std::byte(vminvq_s8(least) == INT8_MIN);
}

void prepare_rows(const int8_t* rows, size_t num_rows, std::byte* prepared) {
  std::memcpy(prepared, rows, (num_rows + 3) * kChannelTile);
}

#define WHIT_NEON_INLINE __attribute__((always_inline)) inline

WHIT_NEON_INLINE void add_products(int16x8_t low, int16x8_t high, int32x4_t* acc) {
  acc[0] = vaddw_s16(acc[0], vget_low_s16(low));
  acc[1] = vaddw_high_s16(acc[1], low);
  acc[2] = vaddw_s16(acc[2], vget_low_s16(high));
  acc[3] = vaddw_high_s16(acc[3], high);
}

// Two taps of one output.
template <bool kPairs>
WHIT_NEON_INLINE void add_taps(const int8x16_t* code, const int8_t* row, int32x4_t* acc) {
  const int8x16_t first = vld1q_s8(row), second = vld1q_s8(row + kChannelTile);
  int16x8_t low = vmull_s8(vget_low_s8(first), vget_low_s8(code[0]));
  int16x8_t high = vmull_high_s8(first, code[0]);
  if constexpr (kPairs) {
    low = vmlal_s8(low, vget_low_s8(second), vget_low_s8(code[1]));
    high = vmlal_high_s8(high, second, code[1]);
  } else {
    add_products(low, high, acc);
    low = vmull_s8(vget_low_s8(second), vget_low_s8(code[1]));
    high = vmull_high_s8(second, code[1]);
  }
  add_products(low, high, acc);
}

// @tparam kPairs  whether two products are added in 16 bits
template <bool kPairs>
void accumulate_as(const std::byte* codes, size_t num_groups, const std::byte* rows,
                   const uint32_t* first_rows, size_t num_outputs, int32_t* sums) {
  const size_t num_bytes = num_groups * kTapGroup * kChannelTile;
  for (size_t m = 0; m < num_outputs; m += kOutputs) {
    const size_t second = m + 1 < num_outputs ? m + 1 : m;
    const auto* base = reinterpret_cast<const int8_t*>(rows);
    const int8_t* from[kOutputs] = {base + first_rows[m] * kChannelTile,
                                    base + first_rows[second] * kChannelTile};
    int32x4_t acc[kOutputs][4];
    for (auto& output : acc) output[0] = output[1] = output[2] = output[3] = vdupq_n_s32(0);
    for (size_t at = 0; at < num_bytes; at += 2 * kChannelTile) {
      const auto* code_bytes = reinterpret_cast<const int8_t*>(codes + kCodeHeadBytes) + at;
      const int8x16_t code[2] = {vld1q_s8(code_bytes), vld1q_s8(code_bytes + kChannelTile)};
      add_taps<kPairs>(code, from[0] + at, acc[0]);
      add_taps<kPairs>(code, from[1] + at, acc[1]);
    }
    for (int i = 0; i < 4; ++i) {
      vst1q_s32(sums + m * kChannelTile + 4 * i, acc[0][i]);
      vst1q_s32(sums + second * kChannelTile + 4 * i, acc[1][i]);
    }
  }
}

void accumulate(const std::byte* codes, size_t num_groups, const std::byte* rows, const uint32_t* first_rows,
                size_t num_outputs, int32_t* sums) {
  const auto run = codes[0] == std::byte{0} ? accumulate_as<true> : accumulate_as<false>;
  run(codes, num_groups, rows, first_rows, num_outputs, sums);
}

}  // namespace

const DepthwiseKernel depthwise_i32_i8row_e1to8_2x16_neon = {
    "depthwise_i32_i8row_e1to8_2x16_neon", Isa::kNeon, prepare_codes, prepare_rows, accumulate};

}  // namespace whit
