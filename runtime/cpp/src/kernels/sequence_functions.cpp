#include "kernels/sequence_functions.h"

#include <cmath>

#include "whit/lane_sum.h"

namespace whit {
namespace {

void layer_norm_plain(FloatView x, FloatView gain, FloatView bias, float epsilon, size_t num_cols, float* y) {
  const float inverse_count = 1.0f / float(num_cols);
  LaneSum sum;
  for (size_t n = 0; n < num_cols; ++n) sum.add(n, x[n]);
  const float mean = sum.total() * inverse_count;
  LaneSum squares;
  for (size_t n = 0; n < num_cols; ++n) {
    y[n] = x[n] - mean;
    squares.add(n, y[n] * y[n]);
  }
  const float factor = 1.0f / std::sqrt(squares.total() * inverse_count + epsilon);
  for (size_t n = 0; n < num_cols; ++n) y[n] = (y[n] * factor) * gain[n] + bias[n];
}

constexpr SequenceFunctions kPlain = {Isa::kPlain, layer_norm_plain};

}  // namespace

const SequenceFunctions& sequence_functions() {
  static const SequenceFunctions& best = []() -> const SequenceFunctions& {
    const SequenceFunctions* found = &kPlain;
    for (const SequenceFunctions& functions : machine_sequence_functions()) {
      if (functions.isa <= chosen_isa().isa) found = &functions;
    }
    return *found;
  }();
  return best;
}

}  // namespace whit
