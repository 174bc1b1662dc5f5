#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace whit {

/// Codes of layout E in NEON registers: 4 rows x 4 columns of one k-group at a time.

#define WHIT_NEON_INLINE __attribute__((always_inline)) inline

namespace {

template <int kBits>
struct Codebook {
  static constexpr int kTables = kBits <= 4 ? 1 : kBits <= 6 ? 1 << (kBits - 4) : 0;
  int8x16_t entries[kTables > 0 ? kTables : 1];
};

template <int kBits>
WHIT_NEON_INLINE Codebook<kBits> load_codebook(const int8_t* codebook) {
  Codebook<kBits> book;
  for (int i = 0; i < Codebook<kBits>::kTables; ++i) book.entries[i] = vld1q_s8(codebook + 16 * i);
  return book;
}

// Shifts left where kLeft > 0, right where it is negative.
template <int kLeft>
WHIT_NEON_INLINE uint8x16_t shift(uint8x16_t v) {
  if constexpr (kLeft > 0) {
    return vshlq_n_u8(v, kLeft);
  } else if constexpr (kLeft < 0) {
    return vshrq_n_u8(v, -kLeft);
  } else {
    return v;
  }
}

// Index bits kShift and up of rows 4 * quarter to 4 * quarter + 3: the widest field of kBits, then the rest.
template <int kBits, int kGroup, int kShift = 0>
WHIT_NEON_INLINE uint8x16_t load_index(const uint8_t* fields, int quarter) {
  constexpr int kWidth = kBits >= 8 ? 8 : kBits >= 4 ? 4 : kBits >= 2 ? 2 : 1;
  constexpr int kPerByte = 8 / kWidth;
  constexpr int kAt = kGroup % kPerByte * kWidth;
  const uint8x16_t bytes = vld1q_u8(fields + 64 * (kGroup / kPerByte) + 16 * quarter);
  uint8x16_t index = shift<kShift - kAt>(bytes);
  // The topmost field needs no mask where the shift left only zeros above it.
  if constexpr (kAt + kWidth < 8 || kShift > kAt) {
    index = vandq_u8(index, vdupq_n_u8(uint8_t(((1 << kWidth) - 1) << kShift)));
  } else if constexpr (kShift > 0) {
    index = vandq_u8(index, vdupq_n_u8(uint8_t(0xFF << kShift)));
  }
  if constexpr (kBits > kWidth) {
    index =
        vorrq_u8(index, load_index<kBits - kWidth, kGroup, kShift + kWidth>(fields + 64 * kWidth, quarter));
  }
  return index;
}

template <int kBits, int kGroup>
WHIT_NEON_INLINE int8x16_t load_codes(const Codebook<kBits>& book, const uint8_t* block, int quarter) {
  const uint8x16_t index = load_index<kBits, kGroup>(block, quarter);
  if constexpr (kBits <= 4) {
    return vqtbl1q_s8(book.entries[0], index);
  } else if constexpr (kBits == 5) {
    return vqtbl2q_s8(int8x16x2_t{{book.entries[0], book.entries[1]}}, index);
  } else if constexpr (kBits == 6) {
    return vqtbl4q_s8(int8x16x4_t{{book.entries[0], book.entries[1], book.entries[2], book.entries[3]}},
                      index);
  } else {
    return vreinterpretq_s8_u8(vsubq_u8(index, vdupq_n_u8(uint8_t(1 << (kBits - 1)))));
  }
}

}  // namespace
}  // namespace whit
