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

/// Two neighbouring codes of a row.
struct CodePair {
  int16_t left, right;
};

/// Pairs are made up to this width: their number grows with the square of the codebook.
inline constexpr int kMaxPairBits = 6;
inline constexpr size_t kMaxCodePairs = size_t{1} << 2 * kMaxPairBits;

/// Fills the pairs of a codebook's entries.
/// @param[in]  codebook  (2^bits,)
/// @param[in]  bits      1 to kMaxPairBits
/// @param[out] pairs     (2^bits right, 2^bits left)
void pair_codes_e(const int8_t* codebook, int bits, CodePair* pairs);

/// Decodes one block as `expand_block_e` does, two codes at a time.
/// @param[in]  pairs  what `pair_codes_e` filled
void expand_pairs_e(const uint8_t* block, int bits, const CodePair* pairs, int16_t* codes, size_t stride);

/// Decodes one block of layout E to its codes in their own order.
/// @param[in]  block, bits, codebook  as above
/// @param[out] codes                  (8 groups of columns, 16 rows, 4 columns)
void expand_quads_e(const uint8_t* block, int bits, const int8_t* codebook, int8_t* codes);

}  // namespace whit
