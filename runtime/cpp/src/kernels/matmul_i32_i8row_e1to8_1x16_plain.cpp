#include "kernels/expand_e.h"
#include "kernels/kernels.h"
#include "kernels/widened_rows.h"

namespace whit {
namespace {

class TileDecoder {
 public:
  TileDecoder(const PackedMatrix& w, size_t tile) : bits_(w.bits) {
    if (bits_ <= kMaxPairBits) pair_codes_e(w.tile_codebook(tile), bits_, pairs_);
  }

  void operator()(const uint8_t* block, int16_t* codes, size_t stride) const {
    if (bits_ <= kMaxPairBits) {
      expand_pairs_e(block, bits_, pairs_, codes, stride);
    } else {
      expand_block_e(block, bits_, nullptr, codes, stride);
    }
  }

 private:
  int bits_;
  CodePair pairs_[kMaxCodePairs];
};

}  // namespace

void matmul_i32_i8row_e1to8_1x16_plain(const PackedMatrix& w, size_t super_tile, const std::byte* lhs,
                                       size_t num_lhs, int32_t* sums) {
  accumulate_widened<TileDecoder>(w, super_tile, lhs, num_lhs, sums);
}

}  // namespace whit
