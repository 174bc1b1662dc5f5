#pragma once

#include <cstdint>

#include "kernel_io.h"

namespace whit::ort {

/// Returns how many of `num_rows` rows the utterance has: the input "length", int32 (1,).
size_t utterance_rows(const Call& call, size_t index, int64_t num_rows);

/// Returns the values of an int16 tensor. @throws std::invalid_argument they lie at an odd address.
const int16_t* int16_values(const char* op, const Tensor& tensor);

/// Writes a count to an output int32 (1,).
void write_count(const Call& call, size_t index, const char* name, size_t count);

}  // namespace whit::ort
