#include "kernels/kernels.h"

namespace whit {

/// This machine has no kernels of its own yet; the plain ones serve.
std::span<const MatmulKernel> machine_matmul_kernels() { return {}; }

}  // namespace whit
