#include "whit/int_layer_norm.h"

#include <algorithm>

#include "kernels/int_sequence_functions.h"
#include "whit/fail.h"
#include "whit/int_table.h"
#include "whit/integer_sqrt.h"
#include "whit/requantize.h"

namespace whit {
namespace {

constexpr int32_t kFineBiasLimit = 1 << 29;
constexpr int32_t kNormalisedShift = 31;

// n = (x - mean) / deviation in units of 2^-16. N sum(x^2) - sum(x)^2 is sum(d^2) / N, without a remainder.
void normalise(const int16_t* x, size_t count, int64_t epsilon, int32_t* n) {
  const IntSequenceFunctions& functions = int_sequence_functions();
  const Moments moments = functions.moments(x, count);
  const int64_t size = int64_t(count);
  const int64_t variance = size * moments.squares - moments.sum * moments.sum + epsilon * size * size;
  const int64_t root = int64_t(integer_sqrt(uint64_t(variance)));
  const int64_t inverse = (int64_t{1} << 47) / std::max<int64_t>(1, root);
  functions.deviations(x, count, int32_t(moments.sum), n);
  if (inverse <= INT32_MAX) {
    requantize_all(n, int32_t(inverse), kNormalisedShift, count, n);
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    n[i] = int32_t((n[i] * inverse + (int64_t{1} << (kNormalisedShift - 1))) >> kNormalisedShift);
  }
}

template <typename Output, typename RoundFine>
void normalise_rows(const IntLayerNorm& norm, const int16_t* x, size_t num_rows, RoundFine round_fine,
                    Output* y) {
  int32_t n[kMaxIntLayerNormCols];
  for (size_t row = 0; row < num_rows; ++row) {
    normalise(x + row * norm.num_cols, norm.num_cols, norm.epsilon, n);
    requantize_row(n, norm.multiplier, norm.shift, norm.num_cols, n);
    round_fine(n, norm.bias, norm.num_cols, norm.low, norm.high, y + row * norm.num_cols);
  }
}

}  // namespace

void check_int_layer_norm(std::string_view place, const IntLayerNorm& norm, int32_t y_bits) {
  check_int_range(place, norm.low, norm.high, y_bits);
  if (norm.num_cols < 1 || norm.num_cols > kMaxIntLayerNormCols) {
    fail(place, text("from 1 to ", kMaxIntLayerNormCols, " columns"), text(norm.num_cols));
  }
  if (norm.epsilon < 1) fail(place, "epsilon of at least 1", text(norm.epsilon));
  check_requantization(place, {norm.multiplier, norm.num_cols}, {norm.shift, norm.num_cols}, true);
  for (size_t i = 0; i < norm.num_cols; ++i) {
    if (norm.bias[i] <= -kFineBiasLimit || norm.bias[i] >= kFineBiasLimit) {
      fail(place, "a bias below 2^29 in magnitude", text(norm.bias[i]));
    }
  }
}

void int_layer_norm(const IntLayerNorm& norm, const int16_t* x, size_t num_rows, int8_t* y) {
  normalise_rows(norm, x, num_rows, int_sequence_functions().round_fine8, y);
}

void int_layer_norm(const IntLayerNorm& norm, const int16_t* x, size_t num_rows, int16_t* y) {
  normalise_rows(norm, x, num_rows, int_sequence_functions().round_fine16, y);
}

}  // namespace whit
