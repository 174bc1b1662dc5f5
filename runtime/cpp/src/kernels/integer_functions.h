#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "whit/isa.h"

namespace whit {

/// What turns the sums of a convolution into its outputs (docs/format.md, section 10).
struct OutputStage {
  const int32_t* bias;        ///< (padded rows of weights,)
  const int32_t* multiplier;  ///< (padded rows of weights,)
  const int32_t* shift;       ///< (padded rows of weights,)
  int32_t zero;               ///< of the output
  int32_t low;                ///< least output
  int32_t high;               ///< greatest output

  /// The stage of the rows of weights from `row` on.
  OutputStage from(size_t row) const {
    OutputStage stage = *this;
    stage.bias += row;
    stage.multiplier += row;
    stage.shift += row;
    return stage;
  }
};

/// Sums of some frames, and what is added to them.
struct SumRows {
  const int32_t* sums;  ///< (num_rows, num_cols)
  size_t num_rows;
  size_t num_cols;           ///< a multiple of 16
  const int16_t* addend;     ///< (num_rows, num_cols), rows `addend_stride` values apart; or null
  size_t addend_stride = 0;  ///< values from one row to the next
};

/// What surrounds integer sums, in one instruction set; all give the same bits.
struct IntegerFunctions {
  Isa isa;

  /// As `whit::requantize_row` and `whit::requantize_all`.
  void (*requantize_row)(const int32_t* a, const int32_t* multiplier, const int32_t* shift, size_t count,
                         int32_t* y);
  void (*requantize_all)(const int32_t* a, int32_t multiplier, int32_t shift, size_t count, int32_t* y);

  /// y = clamp(requant(sums + bias) + addend + zero, low, high).
  /// @param[out] y         (num_rows, num_cols), rows `y_stride` values apart
  void (*finish_rows8)(const SumRows& rows, const OutputStage& stage, int8_t* y, size_t y_stride);
  void (*finish_rows16)(const SumRows& rows, const OutputStage& stage, int16_t* y, size_t y_stride);
};

/// Returns the functions of the chosen instruction set.
/// @throws std::invalid_argument as `chosen_isa`.
const IntegerFunctions& integer_functions();

/// Those of this build's machine, the best last; which file defines it is chosen in CMakeLists.txt.
std::span<const IntegerFunctions> machine_integer_functions();

}  // namespace whit
