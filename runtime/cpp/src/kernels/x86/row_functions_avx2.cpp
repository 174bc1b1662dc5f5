#define WHIT_LANES 8
#define WHIT_TARGET __attribute__((target("avx2")))
#include "kernels/row_functions_lanes.h"
#include "kernels/x86/row_functions_x86.h"

namespace whit {

const RowFunctions kRowFunctionsAvx2 = {Isa::kAvx2, quantize_row_lanes, scale_sums_lanes, lstm_gates_lanes};

}  // namespace whit
