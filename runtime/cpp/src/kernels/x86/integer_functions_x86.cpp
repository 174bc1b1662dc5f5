#include "kernels/x86/integer_functions_x86.h"

namespace whit {

std::span<const IntegerFunctions> machine_integer_functions() {
  static const IntegerFunctions kFunctions[] = {kIntegerFunctionsAvx2, kIntegerFunctionsAvx512};
  return kFunctions;
}

}  // namespace whit
