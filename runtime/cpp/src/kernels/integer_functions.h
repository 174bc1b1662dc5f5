#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "whit/isa.h"

namespace whit {

/// What turns the sums of a convolution into its outputs (docs/format.md, section 10), all of whole tiles.
struct OutputStage {
  const int32_t* bias;        ///< (padded rows,)
  const int32_t* multiplier;  ///< (padded rows,)
  const int32_t* shift;       ///< (padded rows,)
  int32_t zero;               ///< of the output
  int32_t low;                ///<
  int32_t high;               ///<

  /// The stage of the rows from `row` on.
  OutputStage from(size_t row) const {
    OutputStage stage = *this;
    stage.bias += row;
    stage.multiplier += row;
    stage.shift += row;
    return stage;
  }
};

/// What surrounds integer sums, in one instruction set; all give the same bits.
struct IntegerFunctions {
  Isa isa;

  /// As `whit::requantize_row` and `whit::requantize_all`.
  void (*requantize_row)(const int32_t* a, const int32_t* multiplier, const int32_t* shift, size_t count,
                         int32_t* y);
  void (*requantize_all)(const int32_t* a, int32_t multiplier, int32_t shift, size_t count, int32_t* y);

  /// y = clamp(requant(sums + bias) + addend + zero, low, high) for one row of outputs.
  /// @param[in]  sums    (count,)
  /// @param[in]  count   a multiple of 16
  /// @param[in]  addend  (count,), or null
  /// @param[out] y       (count,)
  void (*finish_row8)(const int32_t* sums, const OutputStage& stage, size_t count, const int16_t* addend,
                      int8_t* y);
  void (*finish_row16)(const int32_t* sums, const OutputStage& stage, size_t count, const int16_t* addend,
                       int16_t* y);
};

/// Returns the functions of the chosen instruction set.
/// @throws std::invalid_argument as `chosen_isa`.
const IntegerFunctions& integer_functions();

/// Those of this build's machine, the best last; which file defines it is chosen in CMakeLists.txt.
std::span<const IntegerFunctions> machine_integer_functions();

}  // namespace whit
