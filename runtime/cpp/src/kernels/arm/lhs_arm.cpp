#include "kernels/arm/lhs_arm.h"

#include <arm_neon.h>

#include <cstring>

namespace whit {

size_t neon_tables_bytes(size_t padded_cols) { return padded_cols * 4 + 64; }

void make_neon_tables(const int8_t* q, size_t padded_cols, std::byte* lhs) {
  uint8x16_t bit[4];  // all ones in entries whose number has bit j
  for (int j = 0; j < 4; ++j) {
    uint8_t mask[16];
    for (int entry = 0; entry < 16; ++entry) mask[entry] = entry >> j & 1 ? 0xFF : 0;
    bit[j] = vld1q_u8(mask);
  }
  int32_t positive_sum = 0, negative_sum = 0;
  uint8_t* table = reinterpret_cast<uint8_t*>(lhs);
  for (size_t k = 0; k < padded_cols; k += 16) {
    const int8x16_t row = vld1q_s8(q + k);
    uint8_t positive[16], negative[16];
    const uint8x16_t above = vreinterpretq_u8_s8(vmaxq_s8(row, vdupq_n_s8(0)));
    const uint8x16_t below = vreinterpretq_u8_s8(vmaxq_s8(vnegq_s8(row), vdupq_n_s8(0)));
    positive_sum += vaddlvq_u8(above);
    negative_sum += vaddlvq_u8(below);
    vst1q_u8(positive, above);
    vst1q_u8(negative, below);
    for (int column = 0; column < 16; column += 4, table += 16) {
      uint8x16_t entries = vdupq_n_u8(0);
      for (int j = 0; j < 4; ++j) {
        const uint8x16_t set = vdupq_n_u8(positive[column + j]);
        entries = vaddq_u8(entries, vbslq_u8(bit[j], set, vdupq_n_u8(negative[column + j])));
      }
      vst1q_u8(table, entries);
    }
  }
  const TableSums sums{.q = positive_sum - negative_sum, .negative = negative_sum};
  std::memcpy(lhs + padded_cols * 4, &sums, sizeof(sums));
}

}  // namespace whit
