#define WHIT_LANES 4
#define WHIT_TARGET
#include "kernels/arm/sequence_functions_arm.h"
#include "kernels/sequence_functions_lanes.h"

namespace whit {

const SequenceFunctions kSequenceFunctionsNeon = make_sequence_functions(Isa::kNeon);

}  // namespace whit
