#pragma once

#include <cstddef>
#include <cstdint>

#include "whit/packed_matrix.h"

namespace whit {

/// y[m] = scale[token] * float(codes of row token); zeros where the token is outside [0, table.rows)
/// (operator PackedEmbedding, docs/format.md section 3).
/// @param[in]  table   layout E
/// @param[in]  tokens  int32 (num_tokens,), at any address
/// @param[out] y       (num_tokens, table.cols)
void embedding(const PackedMatrix& table, const void* tokens, size_t num_tokens, float* y);

}  // namespace whit
