#include "kernels/x86/int_sequence_functions_x86.h"

namespace whit {

std::span<const IntSequenceFunctions> machine_int_sequence_functions() {
  static const IntSequenceFunctions kFunctions[] = {kIntSequenceFunctionsAvx2, kIntSequenceFunctionsAvx512};
  return kFunctions;
}

}  // namespace whit
