#include "kernels/arm/sequence_functions_arm.h"

namespace whit {

std::span<const SequenceFunctions> machine_sequence_functions() { return {&kSequenceFunctionsNeon, 1}; }

}  // namespace whit
