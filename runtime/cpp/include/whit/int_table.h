#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace whit {

/// A requantization and the clamp that follows it (docs/format.md, section 10).
struct IntOutput {
  int32_t multiplier;
  int32_t shift;
  int32_t low;   ///< in the output's type
  int32_t high;  ///< likewise
};

/// Checks that low and high are a range of y_bits = 8 or 16.
/// @throws Failure they are not.
void check_int_range(std::string_view place, int32_t low, int32_t high, int32_t y_bits);

/// Checks the constants of an operator whose output is int8.
/// @throws Failure one is out of its range.
void check_int_output(std::string_view place, const IntOutput& output);

/// y = table[x + 128] (operator IntTable).
/// @param[in]  x      (num_values,)
/// @param[in]  table  (256,)
/// @param[out] y      (num_values,)
void int_table(const int8_t* x, const int8_t* table, size_t num_values, int8_t* y);

/// y = clamp(requant(x[:, :num_cols] * table[x[:, num_cols:] + 128])) (operator IntGlu).
/// @param[in]  x      (num_rows, 2 * num_cols)
/// @param[in]  table  (256,)
/// @param[out] y      (num_rows, num_cols)
void int_glu(const int8_t* x, const int16_t* table, size_t num_rows, size_t num_cols, const IntOutput& output,
             int8_t* y);

}  // namespace whit
