#include <arm_neon.h>

#include <algorithm>

#include "kernels/arm/lhs_arm.h"
#include "kernels/kernels.h"

// A nibble of a plane picks one of the 16 sums of its group of columns: one table lookup serves 16 rows.

namespace whit {
namespace {

// Blocks until a 16-bit sum of bytes could overflow: 8 bytes a block, 32 * 8 * 255 < 2^16.
constexpr size_t kFlushBlocks = 32;

struct Plane {
  uint16x8_t low;   // rows 0 to 7
  uint16x8_t high;  // rows 8 to 15
};

inline void add(Plane& plane, uint8x16_t bytes) {
  plane.low = vaddw_u8(plane.low, vget_low_u8(bytes));
  plane.high = vaddw_high_u8(plane.high, bytes);
}

inline void flush(Plane& plane, uint32x4_t* sums) {
  sums[0] = vaddw_u16(sums[0], vget_low_u16(plane.low));
  sums[1] = vaddw_high_u16(sums[1], plane.low);
  sums[2] = vaddw_u16(sums[2], vget_low_u16(plane.high));
  sums[3] = vaddw_high_u16(sums[3], plane.high);
  plane.low = plane.high = vdupq_n_u16(0);
}

template <int kBits>
void accumulate_tile(const PackedMatrix& w, size_t tile, const std::byte* lhs, int32_t* sums) {
  uint32x4_t plane_sums[kBits][4];
  Plane planes[kBits];
  for (int p = 0; p < kBits; ++p) {
    planes[p].low = planes[p].high = vdupq_n_u16(0);
    for (uint32x4_t& sum : plane_sums[p]) sum = vdupq_n_u32(0);
  }
  const size_t num_blocks = w.num_col_blocks();
  const uint8_t* table = reinterpret_cast<const uint8_t*>(lhs);
  const uint8_t* block = w.block(tile, 0);
  for (size_t start = 0; start < num_blocks; start += kFlushBlocks) {
    const size_t end = std::min(num_blocks, start + kFlushBlocks);
    for (size_t col_block = start; col_block < end; ++col_block) {
#pragma GCC unroll 4
      for (int chunk = 0; chunk < 4; ++chunk) {
        const uint8x16_t even = vld1q_u8(table + 32 * chunk);
        const uint8x16_t odd = vld1q_u8(table + 32 * chunk + 16);
#pragma GCC unroll 3
        for (int p = 0; p < kBits; ++p) {
          const uint8x16_t bits = vld1q_u8(block + 64 * p + 16 * chunk);
          add(planes[p], vqtbl1q_u8(even, vandq_u8(bits, vdupq_n_u8(15))));
          add(planes[p], vqtbl1q_u8(odd, vshrq_n_u8(bits, 4)));
        }
      }
      table += 128;
      block += 2 * 64 * kBits;
    }
    for (int p = 0; p < kBits; ++p) flush(planes[p], plane_sums[p]);
  }
  const int8_t* codebook = w.tile_codebook(tile);
  TableSums total;
  std::memcpy(&total, lhs + w.padded_cols() * 4, sizeof(total));
  for (int quarter = 0; quarter < 4; ++quarter) {
    int32x4_t result = vdupq_n_s32(codebook[0] * total.q);
    for (int p = 0; p < kBits; ++p) {
      const int32x4_t sum =
          vsubq_s32(vreinterpretq_s32_u32(plane_sums[p][quarter]), vdupq_n_s32(total.negative));
      result = vmlaq_n_s32(result, sum, codebook[1 + p]);
    }
    vst1q_s32(sums + 4 * quarter, result);
  }
}

}  // namespace

void matmul_i32_i8row_p1to3_1x16_neon(const PackedMatrix& w, size_t super_tile, const std::byte* lhs,
                                      size_t num_lhs, int32_t* sums) {
  using Tile = void (*)(const PackedMatrix&, size_t, const std::byte*, int32_t*);
  static constexpr Tile kTile[] = {accumulate_tile<1>, accumulate_tile<2>, accumulate_tile<3>};
  const size_t lhs_stride = neon_tables_bytes(w.padded_cols());
  for (size_t m = 0; m < num_lhs; ++m) {
    for (size_t half = 0; half < 2; ++half) {
      kTile[w.bits - 1](w, super_tile * 2 + half, lhs + m * lhs_stride,
                        sums + m * kSuperTileRows + half * kTileRows);
    }
  }
}

}  // namespace whit
