#pragma once

#include "kernels/row_functions.h"

namespace whit {

extern const RowFunctions kRowFunctionsNeon;

}  // namespace whit
