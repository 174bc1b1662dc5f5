#include "whit/matmul.h"

#include <cstring>

#include "kernels/row_functions.h"

namespace whit {
namespace {

constexpr size_t align64(size_t bytes) { return (bytes + 63) / 64 * 64; }

// Where each part of the scratch starts.
struct Scratch {
  Scratch(const PackedMatrix& w, const MatmulKernel& kernel, size_t num_lhs)
      : lhs_stride(kernel.lhs_bytes(w.padded_cols())),
        scale(lhs_stride * num_lhs),
        sums(scale + align64(num_lhs * sizeof(float))),
        quantized(sums + num_lhs * kSuperTileRows * sizeof(int32_t)),
        bytes(quantized + align64(w.padded_cols())) {}

  size_t lhs_stride;  // lhs (num_lhs, lhs_stride) starts at 0
  size_t scale;       // float (num_lhs,)
  size_t sums;        // int32 (num_lhs, 32)
  size_t quantized;   // int8 (padded_cols,)
  size_t bytes;
};

}  // namespace

size_t matmul_scratch_bytes(const PackedMatrix& w, size_t num_lhs) {
  return matmul_scratch_bytes(select_matmul_kernel(w.layout, w.bits), w, num_lhs);
}

size_t matmul_scratch_bytes(const MatmulKernel& kernel, const PackedMatrix& w, size_t num_lhs) {
  return Scratch(w, kernel, num_lhs).bytes;
}

void matmul(const PackedMatrix& w, FloatView x, size_t num_lhs, float* y, std::byte* scratch) {
  matmul(select_matmul_kernel(w.layout, w.bits), w, x, num_lhs, y, scratch);
}

void matmul(const MatmulKernel& kernel, const PackedMatrix& w, FloatView x, size_t num_lhs, float* y,
            std::byte* scratch) {
  const Scratch at(w, kernel, num_lhs);
  float* lhs_scale = reinterpret_cast<float*>(scratch + at.scale);
  int32_t* sums = reinterpret_cast<int32_t*>(scratch + at.sums);
  int8_t* quantized = reinterpret_cast<int8_t*>(scratch + at.quantized);

  const RowFunctions& functions = row_functions();

  for (size_t m = 0; m < num_lhs; ++m) {
    lhs_scale[m] = functions.quantize_row(x + m * w.cols, w.cols, quantized, w.padded_cols());
    kernel.prepare(quantized, w.padded_cols(), scratch + m * at.lhs_stride);
  }
  for (size_t super_tile = 0; super_tile < w.num_super_tiles(); ++super_tile) {
    kernel.accumulate(w, super_tile, scratch, num_lhs, sums);
    const size_t first = super_tile * kSuperTileRows;
    const FloatView scale = w.scale + first;
    const FloatView bias = w.bias ? w.bias + first : w.bias;
    const bool whole = first + kSuperTileRows <= w.rows;
    for (size_t m = 0; m < num_lhs; ++m) {
      float rows[kSuperTileRows];
      float* out = y + m * w.rows + first;
      functions.scale_sums(sums + m * kSuperTileRows, lhs_scale[m], scale, bias, whole ? out : rows);
      if (!whole) std::memcpy(out, rows, (w.rows - first) * sizeof(float));
    }
  }
}

}  // namespace whit
