#include "kernels/expand_p.h"

namespace whit {

void expand_block_p(const uint8_t* block, int bits, const int8_t* codebook, int16_t* codes, size_t stride) {
  static constexpr int16_t kBit[8] = {1, 2, 4, 8, 16, 32, 64, 128};
  for (size_t r = 0; r < 16; ++r) {
    for (size_t chunk = 0; chunk < 4; ++chunk) {
      int16_t* out = codes + r * stride + chunk * 8;
      int16_t sum[8];
      for (int j = 0; j < 8; ++j) sum[j] = codebook[0];
      for (int p = 0; p < bits; ++p) {
        const int16_t byte = block[64 * p + 16 * chunk + r];
        const int16_t weight = codebook[1 + p];
        for (int j = 0; j < 8; ++j) sum[j] = int16_t(sum[j] + ((byte & kBit[j]) ? weight : int16_t{0}));
      }
      for (int j = 0; j < 8; ++j) out[j] = sum[j];
    }
  }
}

}  // namespace whit
