#include <arm_neon.h>

#include "kernels/integer_functions.h"
#include "whit/requantize.h"

#define WHIT_LANES 4
#define WHIT_TARGET
#define WHIT_NEON_INLINE __attribute__((always_inline)) inline

namespace whit {
namespace {

using Int = int32x4_t;

WHIT_NEON_INLINE Int load(const int32_t* from) { return vld1q_s32(from); }
WHIT_NEON_INLINE void store(int32_t* to, Int v) { vst1q_s32(to, v); }
WHIT_NEON_INLINE Int splat(int32_t value) { return vdupq_n_s32(value); }
WHIT_NEON_INLINE Int add(Int a, Int b) { return vaddq_s32(a, b); }
WHIT_NEON_INLINE Int greatest(Int a, Int b) { return vmaxq_s32(a, b); }
WHIT_NEON_INLINE Int least(Int a, Int b) { return vminq_s32(a, b); }
WHIT_NEON_INLINE void narrow(Int v, int8_t* to) {
  const int16x4_t words = vmovn_s32(v);
  vst1_lane_s32(reinterpret_cast<int32_t*>(to), vreinterpret_s32_s8(vmovn_s16(vcombine_s16(words, words))),
                0);
}
WHIT_NEON_INLINE void narrow(Int v, int16_t* to) { vst1_s16(to, vmovn_s32(v)); }
WHIT_NEON_INLINE Int widen(const int16_t* from) { return vmovl_s16(vld1_s16(from)); }

struct Factor {
  Int multiplier;
  int64x2_t left[2];  // shifts to the left, all negative
};

WHIT_NEON_INLINE Factor factor(Int multiplier, Int shift) {
  const Int left = vnegq_s32(shift);
  return {multiplier, {vmovl_s32(vget_low_s32(left)), vmovl_high_s32(left)}};
}

// A rounding shift by a negative count is the formula's; what 32 bits cannot hold is clamped anyway.
template <bool kClamp>
WHIT_NEON_INLINE Int requant(Int a, const Factor& by) {
  const int64x2_t low = vmull_s32(vget_low_s32(a), vget_low_s32(by.multiplier));
  const int64x2_t high = vmull_high_s32(a, by.multiplier);
  const int32x2_t first = vqmovn_s64(vrshlq_s64(low, by.left[0]));
  const Int rounded = vqmovn_high_s64(first, vrshlq_s64(high, by.left[1]));
  if constexpr (!kClamp) return rounded;
  return vminq_s32(vmaxq_s32(rounded, vdupq_n_s32(-kRequantizedLimit)), vdupq_n_s32(kRequantizedLimit));
}

}  // namespace
}  // namespace whit

#include "kernels/integer_functions_lanes.h"

namespace whit {
namespace {

constexpr IntegerFunctions kNeon = {Isa::kNeon, requantize_row_lanes, requantize_all_lanes,
                                    finish_rows_lanes<int8_t>, finish_rows_lanes<int16_t>};

}  // namespace

std::span<const IntegerFunctions> machine_integer_functions() { return {&kNeon, 1}; }

}  // namespace whit
