#include "kernels/x86/sequence_functions_x86.h"

namespace whit {

std::span<const SequenceFunctions> machine_sequence_functions() {
  static const SequenceFunctions kFunctions[] = {kSequenceFunctionsAvx2, kSequenceFunctionsAvx512};
  return kFunctions;
}

}  // namespace whit
