#include "whit/isa.h"

namespace whit {

std::span<const CpuFeature> cpu_features() { return {}; }

}  // namespace whit
