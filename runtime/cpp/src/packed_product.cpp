#include "packed_product.h"

#include <algorithm>
#include <cstring>

namespace whit {
namespace {

// What pays for waking a thread (`for_ranges`): a product does about so many in that time.
constexpr uint64_t kLeastWork = uint64_t{1} << 18;  // multiply-adds of a part

constexpr uint64_t align64(uint64_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

PackedProduct::PackedProduct(const MatmulKernel& kernel, const PackedMatrix& w, size_t num_lhs,
                             std::byte* scratch)
    : kernel_(kernel),
      functions_(row_functions()),
      w_(w),
      num_lhs_(num_lhs),
      lhs_stride_bytes_(kernel.lhs_bytes(w.padded_cols())),
      lhs_(scratch),
      lhs_scale_(reinterpret_cast<float*>(lhs_ + lhs_stride_bytes_ * num_lhs)),
      quantized_(reinterpret_cast<int8_t*>(lhs_scale_) + align64(num_lhs * sizeof(float))) {}

uint64_t PackedProduct::scratch_bytes(const MatmulKernel& kernel, const PackedMatrix& w, size_t num_lhs) {
  return kernel.lhs_bytes(w.padded_cols()) * uint64_t{num_lhs} + align64(uint64_t{num_lhs} * sizeof(float)) +
         align64(w.padded_cols());
}

void PackedProduct::prepare(FloatView x) const {
  for (size_t m = 0; m < num_lhs_; ++m) {
    lhs_scale_[m] = functions_.quantize_row(x + m * w_.cols, w_.cols, quantized_, w_.padded_cols());
    kernel_.prepare(quantized_, w_.padded_cols(), lhs_ + m * lhs_stride_bytes_);
  }
}

void PackedProduct::multiply(size_t super_tile, size_t first, size_t num_rows, float* out,
                             size_t stride) const {
  alignas(64) int32_t sums[kRowsAtOnce * kSuperTileRows];  // (num_rows, 32)
  kernel_.accumulate(w_, super_tile, lhs_ + first * lhs_stride_bytes_, num_rows, sums);
  const FloatView scale = w_.scale + super_tile * kSuperTileRows;
  const FloatView bias = w_.bias ? w_.bias + super_tile * kSuperTileRows : w_.bias;
  for (size_t m = 0; m < num_rows; ++m) {
    functions_.scale_sums(sums + m * kSuperTileRows, lhs_scale_[first + m], scale, bias, out + m * stride);
  }
}

void PackedProduct::multiply_all(float* y, Workers* workers) const {
  const auto multiply_range = [&](size_t begin, size_t end) {
    for (size_t super_tile = begin; super_tile < end; ++super_tile) {
      const size_t first_row = super_tile * kSuperTileRows;
      const size_t num_outputs = std::min(kSuperTileRows, w_.rows - first_row);
      for (size_t m = 0; m < num_lhs_; m += kRowsAtOnce) {
        const size_t num_rows = std::min(kRowsAtOnce, num_lhs_ - m);
        float* out = y + m * w_.rows + first_row;
        if (num_outputs == kSuperTileRows) {
          multiply(super_tile, m, num_rows, out, w_.rows);
          continue;
        }
        float padded_out[kRowsAtOnce * kSuperTileRows];  // (num_rows, 32)
        multiply(super_tile, m, num_rows, padded_out, kSuperTileRows);
        for (size_t i = 0; i < num_rows; ++i) {
          std::memcpy(out + i * w_.rows, padded_out + i * kSuperTileRows, num_outputs * sizeof(float));
        }
      }
    }
  };
  for_ranges(workers, w_.num_super_tiles(), least_super_tiles(), multiply_range);
}

size_t PackedProduct::least_super_tiles() const {
  const uint64_t work = uint64_t{kSuperTileRows} * w_.padded_cols() * std::max<size_t>(num_lhs_, 1);
  return size_t((kLeastWork + work - 1) / work);
}

}  // namespace whit
