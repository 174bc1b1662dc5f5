#pragma once

#include <optional>
#include <string>

#include "whit/fail.h"
#include "whit/matmul_kernel.h"
#include "whit/packed_matrix.h"

namespace whit::bindings {

/// Returns the kernel of a name for a matrix, or without one the best of this processor.
/// @throws std::invalid_argument "[place] expected ..., received ...".
inline const MatmulKernel& choose_kernel(const char* place, const PackedMatrix& w,
                                         const std::optional<std::string>& name) {
  if (!name) return select_matmul_kernel(w.layout, w.bits);
  for (const MatmulKernel* kernel : matmul_kernels()) {
    if (kernel->name == *name && kernel->serves(w.layout, w.bits)) return *kernel;
  }
  fail(place, "a kernel of matmul_kernel_names() that serves the layout and width", *name);
}

}  // namespace whit::bindings
