#include "kernels/expand_p.h"

#include <array>

namespace whit {
namespace {

// For each byte of a plane, eight masks: all ones where the bit is set.
constexpr auto kMasks = [] {
  std::array<std::array<int16_t, 8>, 256> masks{};
  for (size_t byte = 0; byte < 256; ++byte) {
    for (size_t j = 0; j < 8; ++j) masks[byte][j] = byte >> j & 1 ? -1 : 0;
  }
  return masks;
}();

template <int kBits>
void expand(const uint8_t* block, const int8_t* codebook, int16_t* codes, size_t stride) {
  for (size_t r = 0; r < 16; ++r) {
    for (size_t chunk = 0; chunk < 4; ++chunk) {
      int16_t sum[8];
      for (int j = 0; j < 8; ++j) sum[j] = codebook[0];
      for (int p = 0; p < kBits; ++p) {
        const int16_t* mask = kMasks[block[64 * p + 16 * int(chunk) + int(r)]].data();
        const int16_t weight = codebook[1 + p];
        for (int j = 0; j < 8; ++j) sum[j] = int16_t(sum[j] + (mask[j] & weight));
      }
      int16_t* out = codes + r * stride + chunk * 8;
      for (int j = 0; j < 8; ++j) out[j] = sum[j];
    }
  }
}

}  // namespace

void expand_block_p(const uint8_t* block, int bits, const int8_t* codebook, int16_t* codes, size_t stride) {
  using Expand = void (*)(const uint8_t*, const int8_t*, int16_t*, size_t);
  static constexpr Expand kExpand[] = {expand<1>, expand<2>, expand<3>};
  kExpand[bits - 1](block, codebook, codes, stride);
}

}  // namespace whit
