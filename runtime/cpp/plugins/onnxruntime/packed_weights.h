#pragma once

#include <cstdint>
#include <string>

#include "kernel_io.h"
#include "whit/packed_matrix.h"

namespace whit::ort {

inline constexpr size_t kNoInput = SIZE_MAX;

/// Which inputs of a node hold a packed matrix.
struct PackedInputs {
  size_t data;
  size_t codebook;
  size_t scale = kNoInput;  ///< none where the operator computes in integers
  size_t bias = kNoInput;
};

/// Reads and checks a packed matrix from a node's constant inputs, in place.
/// @param[in] matrix  names it in messages, for example "W"; may be empty.
/// @throws std::invalid_argument "[op] expected ..., received ...".
PackedMatrix read_packed_matrix(const Node& node, const char* matrix, const PackedInputs& inputs,
                                int64_t rows, int64_t cols, int64_t bits, const std::string& layout);

}  // namespace whit::ort
