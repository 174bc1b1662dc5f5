#pragma once

#include "kernels/sequence_functions.h"

namespace whit {

extern const SequenceFunctions kSequenceFunctionsNeon;

}  // namespace whit
