#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "whit/isa.h"

namespace whit {

/// The sum of a row and that of its squares.
struct Moments {
  int64_t sum;
  int64_t squares;
};

/// What works on integer rows between products, in one instruction set; all give the same integers
/// (docs/format.md, section 10).
struct IntSequenceFunctions {
  Isa isa;

  /// y = table[x + 128].
  /// @param[in]  x      (count,)
  /// @param[in]  table  (256,)
  /// @param[out] y      (count,)
  void (*look_up)(const int8_t* x, const int8_t* table, size_t count, int8_t* y);

  /// product = value * table[gate + 128].
  /// @param[in]  value, gate  (count,)
  /// @param[in]  table        (256,)
  /// @param[out] product      (count,)
  void (*multiply_by_gate)(const int8_t* value, const int8_t* gate, const int16_t* table, size_t count,
                           int32_t* product);

  /// @param[in] x  (count,), at most 1024
  Moments (*moments)(const int16_t* x, size_t count);

  /// d = count * x - sum.
  /// @param[in]  x  (count,), at most 1024
  /// @param[out] d  (count,)
  void (*deviations)(const int16_t* x, size_t count, int32_t sum, int32_t* d);

  /// y = clamp(floor((fine + bias + 128) / 256), low, high).
  /// @param[in]  fine, bias  (count,), of magnitudes up to 2^30 and below 2^29
  /// @param[out] y           (count,)
  void (*round_fine8)(const int32_t* fine, const int32_t* bias, size_t count, int32_t low, int32_t high,
                      int8_t* y);
  void (*round_fine16)(const int32_t* fine, const int32_t* bias, size_t count, int32_t low, int32_t high,
                       int16_t* y);

  /// y = clamp(x, low, high).
  void (*clamp)(const int32_t* x, size_t count, int32_t low, int32_t high, int8_t* y);

  /// score = score + position, each clamped to +-2^26; returns the greatest.
  /// @param      score     (count,), at least one
  /// @param[in]  position  (count,)
  int32_t (*add_scores)(int32_t* score, const int32_t* position, size_t count);

  /// Turns scores in units of 2^-10 into e^(score - greatest) in units of 0.3585 2^-20; returns the sum.
  /// @param score  (count,)
  uint64_t (*exponentials)(int32_t* score, size_t count, int32_t greatest);

  /// y = min(x, 32767), for x not negative.
  void (*narrow_weights)(const int32_t* x, size_t count, int16_t* y);

  /// Puts queries of a head in the order of `dot_rows`, zeros behind them.
  /// @param[in]  rows    (num_rows, row_stride), `width` values of each; at most kQueries
  /// @param[out] packed  (packed_query_bytes(width),), 64-byte aligned
  void (*pack_queries)(const int8_t* rows, size_t row_stride, size_t num_rows, size_t width, int8_t* packed);

  /// Puts rows of a head in the order of `dot_rows`.
  /// @param[in]  rows    (num_rows, row_stride), `width` values of each
  /// @param[out] packed  (packed_bytes(num_rows, width),), 64-byte aligned
  void (*pack_rows)(const int8_t* rows, size_t row_stride, size_t num_rows, size_t width, int8_t* packed);

  /// sums[i][j] = sum over c of queries[i][c] * rows[first + j][c], for kQueries queries.
  /// @param[in]  queries  by `pack_queries`
  /// @param[in]  packed   by `pack_rows`, of num_packed rows
  /// @param[in]  count    first + count <= num_packed
  /// @param[out] sums     (kQueries, stride), of which `count` in whole blocks are written
  void (*dot_rows)(const int8_t* queries, const int8_t* packed, size_t num_packed, size_t width, size_t first,
                   size_t count, int32_t* sums, size_t stride);

  /// Puts values of a head in the order of `weigh_values`.
  /// @param[in]  rows    (num_rows, row_stride), `width` values of each
  /// @param[out] packed  (packed_bytes(num_rows, width),), 64-byte aligned
  void (*pack_values)(const int8_t* rows, size_t row_stride, size_t num_rows, size_t width, int8_t* packed);

  /// sums[i][c] = sum over j of weight[i][j] * values[j][c], for kQueries rows of weights.
  /// @param[in]  weight  (kQueries, stride); not negative, a zero behind num_rows of them
  /// @param[out] sums    (kQueries, whole_blocks(width))
  void (*weigh_values)(const int16_t* weight, size_t stride, const int8_t* packed, size_t num_rows,
                       size_t width, int32_t* sums);

  /// Queries that share each key and value that is read.
  static constexpr size_t kQueries = 4;

  /// Rows and channels that packed arrays and sums are padded to.
  static constexpr size_t kRowBlock = 16;

  static constexpr size_t whole_blocks(size_t count) {
    return (count + kRowBlock - 1) / kRowBlock * kRowBlock;
  }

  /// Bytes for packed queries of every instruction set: 16 bits for each value.
  static constexpr size_t packed_query_bytes(size_t width) { return 2 * kQueries * whole_blocks(width); }

  /// The same for rows or values, and room to read a block too far.
  static constexpr uint64_t packed_bytes(size_t num_rows, size_t width) {
    return uint64_t{2} * (whole_blocks(num_rows) + kRowBlock) * whole_blocks(width);
  }
};

/// Returns the functions of the chosen instruction set.
/// @throws std::invalid_argument as `chosen_isa`.
const IntSequenceFunctions& int_sequence_functions();

/// Those of this build's machine, the best last; which file defines it is chosen in CMakeLists.txt.
std::span<const IntSequenceFunctions> machine_int_sequence_functions();

}  // namespace whit
