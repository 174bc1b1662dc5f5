#include "kernels/depthwise_kernels.h"

namespace whit {

/// This machine has no kernels of its own yet; the plain one serves.
std::span<const DepthwiseKernel* const> machine_depthwise_kernels() { return {}; }

}  // namespace whit
