#include "whit/matmul.h"

#include "packed_product.h"

namespace whit {

uint64_t matmul_scratch_bytes(const PackedMatrix& w, size_t num_lhs) {
  return matmul_scratch_bytes(select_matmul_kernel(w.layout, w.bits), w, num_lhs);
}

uint64_t matmul_scratch_bytes(const MatmulKernel& kernel, const PackedMatrix& w, size_t num_lhs) {
  return PackedProduct::scratch_bytes(kernel, w, num_lhs);
}

void matmul(const PackedMatrix& w, FloatView x, size_t num_lhs, float* y, std::byte* scratch,
            Workers* workers) {
  matmul(select_matmul_kernel(w.layout, w.bits), w, x, num_lhs, y, scratch, workers);
}

void matmul(const MatmulKernel& kernel, const PackedMatrix& w, FloatView x, size_t num_lhs, float* y,
            std::byte* scratch, Workers* workers) {
  const PackedProduct product(kernel, w, num_lhs, scratch);
  product.prepare(x);
  product.multiply_all(y, workers);
}

}  // namespace whit
