#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "whit/float_view.h"
#include "whit/isa.h"

namespace whit {

/// What surrounds a packed product, in one instruction set; all give the same bits.
struct RowFunctions {
  Isa isa;

  /// As `whit::quantize_row`.
  float (*quantize_row)(FloatView a, size_t num_values, int8_t* q, size_t num_quantized);

  /// out = float(sums) * (lhs_scale * scale), plus bias where there is one (docs/format.md, section 1).
  /// @param[in]  sums   (32,)
  /// @param[in]  scale  (32,)
  /// @param[in]  bias   (32,), or null
  /// @param[out] out    (32,)
  void (*scale_sums)(const int32_t* sums, float lhs_scale, FloatView scale, FloatView bias, float* out);

  /// The gates of one step, docs/format.md section 3, from `pre` on.
  /// @param[in]     wx, rh  (num_units / 4, rounded up, gates (i, f, g, o), 4)
  /// @param[in,out] h, c    (num_units,)
  /// @param[out]    y       (num_units,), the new h
  void (*lstm_gates)(const float* wx, const float* rh, size_t num_units, float* h, float* c, float* y);
};

/// Returns the functions of the chosen instruction set.
/// @throws std::invalid_argument as `chosen_isa`.
const RowFunctions& row_functions();

/// Those of this build's machine, the best last; which file defines it is chosen in CMakeLists.txt.
std::span<const RowFunctions> machine_row_functions();

/// Returns the scale of a row from its extrema: 0 where it is zero by the rule, NaN where it is not finite.
float row_scale(float amax, float gmax);

}  // namespace whit
