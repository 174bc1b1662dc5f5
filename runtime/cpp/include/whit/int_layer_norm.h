#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace whit {

/// The constants of an IntLayerNorm (docs/format.md, section 10).
struct IntLayerNorm {
  size_t num_cols;            ///< from 1 to kMaxIntLayerNormCols
  const int32_t* multiplier;  ///< (num_cols,)
  const int32_t* shift;       ///< (num_cols,)
  const int32_t* bias;        ///< (num_cols,), in units of 1/256 step of the output
  int32_t epsilon;            ///< in squared steps of the input
  int32_t low;                ///< in the output's type
  int32_t high;               ///< likewise
};

inline constexpr size_t kMaxIntLayerNormCols = 1024;

/// Checks what the arithmetic relies on.
/// @param[in] y_bits  8 or 16: the output's type.
/// @throws Failure a constant is out of its range.
void check_int_layer_norm(std::string_view place, const IntLayerNorm& norm, int32_t y_bits);

/// Normalises rows (operator IntLayerNorm).
/// @param[in]  x  (num_rows, num_cols)
/// @param[out] y  (num_rows, num_cols)
void int_layer_norm(const IntLayerNorm& norm, const int16_t* x, size_t num_rows, int8_t* y);
void int_layer_norm(const IntLayerNorm& norm, const int16_t* x, size_t num_rows, int16_t* y);

}  // namespace whit
