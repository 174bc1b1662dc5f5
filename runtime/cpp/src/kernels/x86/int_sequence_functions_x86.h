#pragma once

#include "kernels/int_sequence_functions.h"

namespace whit {

extern const IntSequenceFunctions kIntSequenceFunctionsAvx2;
extern const IntSequenceFunctions kIntSequenceFunctionsAvx512;

}  // namespace whit
