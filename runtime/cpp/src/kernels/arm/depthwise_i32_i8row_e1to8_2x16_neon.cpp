#include <arm_neon.h>

#include <cstring>

#include "kernels/depthwise_kernels.h"

// Codes tap after tap, rows as they are. Two products fit 16 bits: 2 * 127 * 128 < 2^15.

namespace whit {
namespace {

constexpr size_t kOutputs = 2;

void prepare_codes(const int8_t* codes, size_t num_groups, std::byte* prepared) {
  auto* out = reinterpret_cast<int8_t*>(prepared);  // (taps, 16)
  for (size_t group = 0; group < num_groups; ++group, codes += 64) {
    const int8x16x4_t taps = vld4q_s8(codes);
    for (size_t tap = 0; tap < kTapGroup; ++tap, out += kChannelTile) vst1q_s8(out, taps.val[tap]);
  }
}

void prepare_rows(const int8_t* rows, size_t num_rows, std::byte* prepared) {
  std::memcpy(prepared, rows, (num_rows + 3) * kChannelTile);
}

// Two taps of one output.
__attribute__((always_inline)) inline void add_taps(const int8x16_t* code, const int8_t* row,
                                                    int32x4_t* acc) {
  const int8x16_t first = vld1q_s8(row), second = vld1q_s8(row + kChannelTile);
  const int16x8_t low =
      vmlal_s8(vmull_s8(vget_low_s8(first), vget_low_s8(code[0])), vget_low_s8(second), vget_low_s8(code[1]));
  const int16x8_t high = vmlal_high_s8(vmull_high_s8(first, code[0]), second, code[1]);
  acc[0] = vaddw_s16(acc[0], vget_low_s16(low));
  acc[1] = vaddw_high_s16(acc[1], low);
  acc[2] = vaddw_s16(acc[2], vget_low_s16(high));
  acc[3] = vaddw_high_s16(acc[3], high);
}

void accumulate(const std::byte* codes, size_t num_groups, const std::byte* rows, const uint32_t* first_rows,
                size_t num_outputs, int32_t* sums) {
  const size_t num_bytes = num_groups * kTapGroup * kChannelTile;
  for (size_t m = 0; m < num_outputs; m += kOutputs) {
    const size_t second = m + 1 < num_outputs ? m + 1 : m;
    const auto* base = reinterpret_cast<const int8_t*>(rows);
    const int8_t* from[kOutputs] = {base + first_rows[m] * kChannelTile,
                                    base + first_rows[second] * kChannelTile};
    int32x4_t acc[kOutputs][4];
    for (auto& output : acc) output[0] = output[1] = output[2] = output[3] = vdupq_n_s32(0);
    for (size_t at = 0; at < num_bytes; at += 2 * kChannelTile) {
      const auto* code_bytes = reinterpret_cast<const int8_t*>(codes) + at;
      const int8x16_t code[2] = {vld1q_s8(code_bytes), vld1q_s8(code_bytes + kChannelTile)};
      add_taps(code, from[0] + at, acc[0]);
      add_taps(code, from[1] + at, acc[1]);
    }
    for (int i = 0; i < 4; ++i) {
      vst1q_s32(sums + m * kChannelTile + 4 * i, acc[0][i]);
      vst1q_s32(sums + second * kChannelTile + 4 * i, acc[1][i]);
    }
  }
}

}  // namespace

const DepthwiseKernel depthwise_i32_i8row_e1to8_2x16_neon = {
    "depthwise_i32_i8row_e1to8_2x16_neon", Isa::kNeon, prepare_codes, prepare_rows, accumulate};

}  // namespace whit
