#pragma once

#include <cstddef>
#include <cstdint>

namespace whit {

/// Decodes one block of layout P (docs/format.md, section 2) to its codes.
/// @param[in]  block     (64 * bits,)
/// @param[in]  bits      1 to 3
/// @param[in]  codebook  (bits + 1,): z, a_0, ..., a_{bits-1}
/// @param[out] codes     (16, stride), of which the first 32 columns are written
void expand_block_p(const uint8_t* block, int bits, const int8_t* codebook, int16_t* codes, size_t stride);

}  // namespace whit
