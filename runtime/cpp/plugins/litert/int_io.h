#pragma once

#include <cstdint>

#include "op_node.h"

namespace whit::litert {

/// Returns how many of `num_rows` rows the utterance has: the input "length", int32 (1,).
size_t utterance_rows(const OpNode& node, TfLiteContext* context, size_t index, int64_t num_rows);

/// Checks the input "length" while the graph is prepared.
void check_length(const OpNode& node, TfLiteContext* context, size_t index);

/// Returns the values of an int16 tensor. @throws Failure they lie at an odd address.
const int16_t* int16_values(const OpNode& node, const Tensor& tensor);

/// Writes a count to an output int32 (1,); one that nobody reads has no memory.
void write_count(const OpNode& node, TfLiteContext* context, size_t index, const char* name, size_t count);

}  // namespace whit::litert
