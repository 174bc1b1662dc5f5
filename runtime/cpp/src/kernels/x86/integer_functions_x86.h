#pragma once

#include "kernels/integer_functions.h"

namespace whit {

extern const IntegerFunctions kIntegerFunctionsAvx2;
extern const IntegerFunctions kIntegerFunctionsAvx512;

}  // namespace whit
