#define WHIT_LANES 8
#define WHIT_TARGET __attribute__((target("avx2")))
#include "kernels/sequence_functions_lanes.h"
#include "kernels/x86/sequence_functions_x86.h"

namespace whit {

const SequenceFunctions kSequenceFunctionsAvx2 = make_sequence_functions(Isa::kAvx2);

}  // namespace whit
