#define WHIT_LANES 16
#define WHIT_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")))
#include "kernels/row_functions_lanes.h"
#include "kernels/x86/row_functions_x86.h"

namespace whit {

const RowFunctions kRowFunctionsAvx512 = {Isa::kAvx512, quantize_row_lanes, scale_sums_lanes,
                                          lstm_gates_lanes};

}  // namespace whit
