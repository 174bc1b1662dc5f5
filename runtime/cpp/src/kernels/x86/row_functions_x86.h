#pragma once

#include "kernels/row_functions.h"

namespace whit {

extern const RowFunctions kRowFunctionsAvx2;
extern const RowFunctions kRowFunctionsAvx512;

}  // namespace whit
