#pragma once

#include <cstddef>
#include <cstdint>

namespace whit {

/// Activations prepared for kernels whose codes are made unsigned by an offset:
/// int8 (padded_cols,), then at `i8_bytes(padded_cols)` the sum of the
/// activations, int32.
size_t summed_row_bytes(size_t padded_cols);
void copy_summed_row(const int8_t* q, size_t padded_cols, std::byte* lhs);

/// Activations prepared for layout P: for each group of 4, the 16 sums that a
/// nibble of a plane can pick. Entries are made unsigned by adding the sum of
/// |q| over negative q of the group; sum |q| <= 255 keeps them in a byte. In a
/// block of 8 groups, 16 bytes each: groups 0 2 4 6 | 1 3 5 7 (low nibbles,
/// then high ones). `TableSums` follows at byte 4 * padded_cols.
size_t activation_tables_bytes(size_t padded_cols);
void make_activation_tables(const int8_t* q, size_t padded_cols, std::byte* lhs);

/// With S_p the looked-up sums of plane p:  sum q * code = z * q + sum_p a_p *
/// (S_p - negative).
struct TableSums {
  int32_t q;         ///< of the activations
  int32_t negative;  ///< of |q| over the negative activations
};

}  // namespace whit
