#include "whit/int_table.h"

#include <algorithm>

#include "kernels/int_sequence_functions.h"
#include "whit/fail.h"
#include "whit/requantize.h"

namespace whit {

void check_int_range(std::string_view place, int32_t low, int32_t high, int32_t y_bits) {
  if (y_bits != 8 && y_bits != 16) fail(place, "y_bits of 8 or 16", text(y_bits));
  const int32_t limit = int32_t{1} << (y_bits - 1);
  if (low < -limit || low > high || high >= limit) {
    fail(place, text("low and high in ascending order within ", y_bits, " bits"), text(low, " and ", high));
  }
}

void check_int_output(std::string_view place, const IntOutput& output) {
  check_int_range(place, output.low, output.high, 8);
  check_requantization(place, {&output.multiplier, 1}, {&output.shift, 1});
}

void int_table(const int8_t* x, const int8_t* table, size_t num_values, int8_t* y) {
  int_sequence_functions().look_up(x, table, num_values, y);
}

void int_glu(const int8_t* x, const int16_t* table, size_t num_rows, size_t num_cols, const IntOutput& output,
             int8_t* y) {
  constexpr size_t kBlock = 256;
  const IntSequenceFunctions& functions = int_sequence_functions();
  int32_t product[kBlock];
  for (size_t row = 0; row < num_rows; ++row) {
    const int8_t* value = x + row * 2 * num_cols;
    for (size_t n = 0; n < num_cols; n += kBlock) {
      const size_t count = std::min(kBlock, num_cols - n);
      functions.multiply_by_gate(value + n, value + num_cols + n, table, count, product);
      requantize_all(product, output.multiplier, output.shift, count, product);
      functions.clamp(product, count, output.low, output.high, y + row * num_cols + n);
    }
  }
}

}  // namespace whit
