#pragma once

#include <cstddef>
#include <cstdint>

namespace whit {

/// Decodes one block of layout E (docs/format.md, section 2) to its codes.
/// @param[in]  block     (64 * bits,)
/// @param[in]  bits      1 to 8
/// @param[in]  codebook  (max(16, 2^bits),); null from 7 bits
/// @param[out] codes     (16, stride), of which the first 32 columns are written
void expand_block_e(const uint8_t* block, int bits, const int8_t* codebook, int16_t* codes, size_t stride);

/// Decodes one block of layout E to its codes in their own order.
/// @param[in]  block, bits, codebook  as above
/// @param[out] codes                  (8 groups of columns, 16 rows, 4 columns)
void expand_quads_e(const uint8_t* block, int bits, const int8_t* codebook, int8_t* codes);

}  // namespace whit
