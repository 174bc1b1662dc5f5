#pragma once

#include <cstddef>
#include <span>

#include "whit/float_view.h"
#include "whit/isa.h"

namespace whit {

/// What works on float rows between packed products, in one instruction set; all give the same bits
/// (docs/format.md, section 3).
struct SequenceFunctions {
  Isa isa;

  /// One row of LayerNorm.
  /// @param[in]  x, gain, bias  (num_cols,)
  /// @param[out] y              (num_cols,)
  void (*layer_norm)(FloatView x, FloatView gain, FloatView bias, float epsilon, size_t num_cols, float* y);
};

/// Returns the functions of the chosen instruction set.
/// @throws std::invalid_argument as `chosen_isa`.
const SequenceFunctions& sequence_functions();

/// Those of this build's machine, the best last; which file defines it is chosen in CMakeLists.txt.
std::span<const SequenceFunctions> machine_sequence_functions();

}  // namespace whit
