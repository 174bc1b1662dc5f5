#include "kernels/arm/int_sequence_functions_arm.h"

namespace whit {

std::span<const IntSequenceFunctions> machine_int_sequence_functions() {
  static const IntSequenceFunctions kFunctions[] = {kIntSequenceFunctionsNeon, kIntSequenceFunctionsNeonDot};
  return kFunctions;
}

}  // namespace whit
