#include "kernels/kernels.h"
#include "kernels/row_functions.h"

namespace whit {

/// This machine has no kernels of its own yet; the plain ones serve.
std::span<const MatmulKernel> machine_matmul_kernels() { return {}; }
std::span<const RowFunctions> machine_row_functions() { return {}; }

}  // namespace whit
