#pragma once

#include "kernels/sequence_functions.h"

namespace whit {

extern const SequenceFunctions kSequenceFunctionsAvx2;
extern const SequenceFunctions kSequenceFunctionsAvx512;

}  // namespace whit
