#define WHIT_LANES 16
#define WHIT_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#include "kernels/sequence_functions_lanes.h"
#include "kernels/x86/sequence_functions_x86.h"

namespace whit {

const SequenceFunctions kSequenceFunctionsAvx512 = make_sequence_functions(Isa::kAvx512);

}  // namespace whit
