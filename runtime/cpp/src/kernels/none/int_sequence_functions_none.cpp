#include "kernels/int_sequence_functions.h"

namespace whit {

/// This machine has no functions of its own yet; the plain ones serve.
std::span<const IntSequenceFunctions> machine_int_sequence_functions() { return {}; }

}  // namespace whit
