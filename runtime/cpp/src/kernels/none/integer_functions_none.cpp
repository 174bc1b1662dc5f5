#include "kernels/integer_functions.h"

namespace whit {

/// This machine has no functions of its own yet; the plain ones serve.
std::span<const IntegerFunctions> machine_integer_functions() { return {}; }

}  // namespace whit
