#include "kernels/int_sequence_functions.h"

#include "kernels/best_of.h"

#define WHIT_TARGET
#include "kernels/int_sequence_loops.h"

namespace whit {
namespace {

constexpr size_t kQueries = IntSequenceFunctions::kQueries;

void pack_rows_plain(const int8_t* rows, size_t row_stride, size_t num_rows, size_t width, int8_t* packed) {
  for (size_t j = 0; j < num_rows; ++j) std::memcpy(packed + j * width, rows + j * row_stride, width);
}

void dot_rows_plain(const int8_t* queries, const int8_t* packed, size_t, size_t width, size_t first,
                    size_t count, int32_t* sums, size_t stride) {
  for (size_t i = 0; i < kQueries; ++i, queries += IntSequenceFunctions::whole_blocks(width)) {
    for (size_t j = 0; j < count; ++j) {
      const int8_t* row = packed + (first + j) * width;
      int32_t sum = 0;
      for (size_t c = 0; c < width; ++c) sum += queries[c] * row[c];
      sums[i * stride + j] = sum;
    }
  }
}

void weigh_values_plain(const int16_t* weight, size_t stride, const int8_t* packed, size_t num_rows,
                        size_t width, int32_t* sums) {
  for (size_t i = 0; i < kQueries; ++i, sums += IntSequenceFunctions::whole_blocks(width)) {
    std::fill_n(sums, width, 0);
    for (size_t j = 0; j < num_rows; ++j) {
      const int32_t factor = weight[i * stride + j];
      for (size_t c = 0; c < width; ++c) sums[c] += factor * packed[j * width + c];
    }
  }
}

constexpr IntSequenceFunctions kPlain = [] {
  IntSequenceFunctions functions = make_int_sequence_functions(Isa::kPlain);
  functions.pack_rows = pack_rows_plain;
  functions.dot_rows = dot_rows_plain;
  functions.pack_values = pack_rows_plain;
  functions.weigh_values = weigh_values_plain;
  return functions;
}();

}  // namespace

const IntSequenceFunctions& int_sequence_functions() {
  static const IntSequenceFunctions& best = best_of(kPlain, machine_int_sequence_functions());
  return best;
}

}  // namespace whit
