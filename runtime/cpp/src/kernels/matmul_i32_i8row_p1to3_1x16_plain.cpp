#include "kernels/expand_p.h"
#include "kernels/kernels.h"
#include "kernels/widened_rows.h"

namespace whit {

void matmul_i32_i8row_p1to3_1x16_plain(const PackedMatrix& w, size_t super_tile, const std::byte* lhs,
                                       size_t num_lhs, int32_t* sums) {
  accumulate_widened(w, super_tile, lhs, num_lhs, sums, expand_block_p);
}

}  // namespace whit
