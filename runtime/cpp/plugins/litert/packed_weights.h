#pragma once

#include <cstdint>

#include "op_node.h"
#include "whit/packed_matrix.h"

namespace whit::litert {

inline constexpr size_t kNoInput = SIZE_MAX;

/// Which inputs of a node hold a packed matrix.
struct PackedInputs {
  size_t data;
  size_t codebook;
  size_t scale = kNoInput;  ///< none where the operator computes in integers
  size_t bias = kNoInput;
};

/// What a node's options say about a packed matrix.
struct PackedShape {
  int64_t rows;
  int64_t cols;
  int64_t bits;
  int64_t layout;  ///< 0: E, 1: P
};

/// Reads and checks a packed matrix from a node's constants, in place.
/// @param[in] matrix  names it in messages, for example "W"; may be empty.
/// @throws Failure "[op] expected ..., received ...".
PackedMatrix read_packed_matrix(const OpNode& node, TfLiteContext* context, const char* matrix,
                                const PackedInputs& inputs, const PackedShape& shape);

}  // namespace whit::litert
