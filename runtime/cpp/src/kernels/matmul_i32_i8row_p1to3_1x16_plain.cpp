#include "kernels/expand_p.h"
#include "kernels/kernels.h"
#include "kernels/widened_rows.h"

namespace whit {
namespace {

class TileDecoder {
 public:
  TileDecoder(const PackedMatrix& w, size_t tile) : bits_(w.bits), codebook_(w.tile_codebook(tile)) {}

  void operator()(const uint8_t* block, int16_t* codes, size_t stride) const {
    expand_block_p(block, bits_, codebook_, codes, stride);
  }

 private:
  int bits_;
  const int8_t* codebook_;
};

}  // namespace

void matmul_i32_i8row_p1to3_1x16_plain(const PackedMatrix& w, size_t super_tile, const std::byte* lhs,
                                       size_t num_lhs, int32_t* sums) {
  accumulate_widened<TileDecoder>(w, super_tile, lhs, num_lhs, sums);
}

}  // namespace whit
