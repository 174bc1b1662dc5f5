#include "kernels/sequence_functions.h"

namespace whit {

/// This machine has no functions of its own yet; the plain ones serve.
std::span<const SequenceFunctions> machine_sequence_functions() { return {}; }

}  // namespace whit
