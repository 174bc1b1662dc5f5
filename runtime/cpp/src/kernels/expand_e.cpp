#include "kernels/expand_e.h"

#include <cstring>

namespace whit {
namespace {

constexpr size_t kRows = 16;
constexpr size_t kGroups = 8;  // groups of 4 columns in a block

// Moves one field of kWidth bits into place: index bits kShift and up of all 512 weights.
template <int kWidth, int kShift>
void unpack_field(const uint8_t* field, uint8_t* index) {
  constexpr int kPerByte = 8 / kWidth;
  constexpr uint8_t kMask = uint8_t((1 << kWidth) - 1);
  for (int v = 0; v < kWidth; ++v) {
    for (int f = 0; f < kPerByte; ++f) {
      uint8_t* group = index + (v * kPerByte + f) * 64;
      for (int l = 0; l < 64; ++l) {
        const uint8_t part = uint8_t(uint8_t(field[64 * v + l] >> (f * kWidth)) & kMask);
        group[l] = kShift == 0 ? part : uint8_t(group[l] | uint8_t(part << kShift));
      }
    }
  }
}

// index (8, 16, 4): k-group, row, column in the group; widest field first.
template <int kBits, int kShift = 0>
void unpack_fields(const uint8_t* block, uint8_t* index) {
  constexpr int kWidth = kBits >= 8 ? 8 : kBits >= 4 ? 4 : kBits >= 2 ? 2 : 1;
  unpack_field<kWidth, kShift>(block, index);
  if constexpr (kBits > kWidth) unpack_fields<kBits - kWidth, kShift + kWidth>(block + 64 * kWidth, index);
}

template <int kBits>
void expand(const uint8_t* block, const int8_t* codebook, int16_t* codes, size_t stride) {
  uint8_t index[kGroups * kRows * 4];
  unpack_fields<kBits>(block, index);
  for (size_t g = 0; g < kGroups; ++g) {
    for (size_t r = 0; r < kRows; ++r) {
      const uint8_t* in = index + (g * kRows + r) * 4;
      int16_t* out = codes + r * stride + g * 4;
      for (size_t j = 0; j < 4; ++j) {
        if constexpr (kBits >= 7) {
          out[j] = int16_t(in[j] - (1 << (kBits - 1)));
        } else {
          out[j] = codebook[in[j]];
        }
      }
    }
  }
}

template <int kBits>
void expand_pairs(const uint8_t* block, const CodePair* pairs, int16_t* codes, size_t stride) {
  uint8_t index[kGroups * kRows * 4];
  unpack_fields<kBits>(block, index);
  uint16_t pair[kGroups * kRows * 2];
  for (size_t i = 0; i < kGroups * kRows * 2; ++i) {
    pair[i] = uint16_t(index[2 * i] | index[2 * i + 1] << kBits);
  }
  for (size_t g = 0; g < kGroups; ++g) {
    for (size_t r = 0; r < kRows; ++r) {
      const uint16_t* in = pair + (g * kRows + r) * 2;
      const CodePair quad[2] = {pairs[in[0]], pairs[in[1]]};
      std::memcpy(codes + r * stride + g * 4, quad, sizeof(quad));
    }
  }
}

template <int kBits>
void expand_quads(const uint8_t* block, const int8_t* codebook, int8_t* codes) {
  uint8_t index[kGroups * kRows * 4];
  unpack_fields<kBits>(block, index);
  for (size_t i = 0; i < sizeof(index); ++i) {
    if constexpr (kBits >= 7) {
      codes[i] = int8_t(uint8_t(index[i] - (1 << (kBits - 1))));
    } else {
      codes[i] = codebook[index[i]];
    }
  }
}

}  // namespace

void pair_codes_e(const int8_t* codebook, int bits, CodePair* pairs) {
  const size_t num_codes = size_t{1} << bits;
  for (size_t right = 0; right < num_codes; ++right) {
    for (size_t left = 0; left < num_codes; ++left) *pairs++ = {codebook[left], codebook[right]};
  }
}

void expand_pairs_e(const uint8_t* block, int bits, const CodePair* pairs, int16_t* codes, size_t stride) {
  using Expand = void (*)(const uint8_t*, const CodePair*, int16_t*, size_t);
  static constexpr Expand kExpand[kMaxPairBits] = {expand_pairs<1>, expand_pairs<2>, expand_pairs<3>,
                                                   expand_pairs<4>, expand_pairs<5>, expand_pairs<6>};
  kExpand[bits - 1](block, pairs, codes, stride);
}

void expand_quads_e(const uint8_t* block, int bits, const int8_t* codebook, int8_t* codes) {
  using Expand = void (*)(const uint8_t*, const int8_t*, int8_t*);
  static constexpr Expand kExpand[] = {expand_quads<1>, expand_quads<2>, expand_quads<3>, expand_quads<4>,
                                       expand_quads<5>, expand_quads<6>, expand_quads<7>, expand_quads<8>};
  kExpand[bits - 1](block, codebook, codes);
}

void expand_block_e(const uint8_t* block, int bits, const int8_t* codebook, int16_t* codes, size_t stride) {
  using Expand = void (*)(const uint8_t*, const int8_t*, int16_t*, size_t);
  static constexpr Expand kExpand[] = {expand<1>, expand<2>, expand<3>, expand<4>,
                                       expand<5>, expand<6>, expand<7>, expand<8>};
  kExpand[bits - 1](block, codebook, codes, stride);
}

}  // namespace whit
