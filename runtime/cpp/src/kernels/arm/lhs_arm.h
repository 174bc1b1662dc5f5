#pragma once

#include <cstddef>
#include <cstdint>

namespace whit {

/// Activations prepared for layout P: for each group of 4, in order, the 16 sums that a nibble of a plane can
/// pick. Entries are made unsigned by adding the sum of |q| over negative q of the group; sum |q| <= 255
/// keeps them in a byte. `TableSums` follows at byte 4 * padded_cols.
size_t neon_tables_bytes(size_t padded_cols);
void make_neon_tables(const int8_t* q, size_t padded_cols, std::byte* lhs);

/// With S_p the looked-up sums of plane p:  sum q * code = z * q + sum_p a_p * (S_p - negative).
struct TableSums {
  int32_t q;         ///< of the activations
  int32_t negative;  ///< of |q| over the negative activations
};

}  // namespace whit
