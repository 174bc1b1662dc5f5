#pragma once

#include "kernels/int_sequence_functions.h"

namespace whit {

extern const IntSequenceFunctions kIntSequenceFunctionsNeon;

/// Those of `neon`, with `pack_rows` and `dot_rows` by dot products.
extern const IntSequenceFunctions kIntSequenceFunctionsNeonDot;

void look_up_neon(const int8_t* x, const int8_t* table, size_t count, int8_t* y);
void pack_values_neon(const int8_t* rows, size_t row_stride, size_t num_rows, size_t width, int8_t* packed);
void weigh_values_neon(const int16_t* weight, size_t stride, const int8_t* packed, size_t num_rows,
                       size_t width, int32_t* sums);

}  // namespace whit
