#define WHIT_LANES 4
#define WHIT_TARGET
#include "kernels/arm/row_functions_arm.h"
#include "kernels/row_functions_lanes.h"

namespace whit {

const RowFunctions kRowFunctionsNeon = {Isa::kNeon, quantize_row_lanes, scale_sums_lanes, lstm_gates_lanes};

}  // namespace whit
