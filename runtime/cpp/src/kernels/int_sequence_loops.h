/// The loops of int_sequence_functions.h that a compiler turns into vectors by itself, for the instruction
/// set WHIT_TARGET, which the one file per instruction set that includes this defines.
#include <algorithm>
#include <cstring>

#include "kernels/int_sequence_functions.h"

namespace whit {
namespace {

constexpr int32_t kGreatestScore = 1 << 26;
constexpr int32_t kLn2 = 710;  // round(1024 ln 2)
constexpr int32_t kGreatestBelow = 30 * kLn2;
constexpr int32_t kReciprocalShift = 26;
constexpr int32_t kReciprocal = (1 << kReciprocalShift) / kLn2 + 1;

// x * kReciprocal >> kReciprocalShift is x / kLn2 for every x up to kGreatestBelow, and fits 31 bits.
static_assert((kReciprocal * kLn2 - (1 << kReciprocalShift)) * int64_t{kGreatestBelow} <
              1 << kReciprocalShift);
static_assert(int64_t{kGreatestBelow} * kReciprocal < int64_t{1} << 31);

WHIT_TARGET void look_up_loop(const int8_t* x, const int8_t* table, size_t count, int8_t* y) {
  for (size_t i = 0; i < count; ++i) y[i] = table[x[i] + 128];
}

WHIT_TARGET void multiply_by_gate_loop(const int8_t* value, const int8_t* gate, const int16_t* table,
                                       size_t count, int32_t* product) {
  for (size_t i = 0; i < count; ++i) product[i] = value[i] * table[gate[i] + 128];
}

WHIT_TARGET Moments moments_loop(const int16_t* x, size_t count) {
  int32_t sum = 0;
  int64_t squares = 0;
  for (size_t i = 0; i < count; ++i) {
    const int32_t value = x[i];
    sum += value;
    squares += value * value;
  }
  return {sum, squares};
}

WHIT_TARGET void deviations_loop(const int16_t* x, size_t count, int32_t sum, int32_t* d) {
  const int32_t factor = int32_t(count);
  for (size_t i = 0; i < count; ++i) d[i] = factor * x[i] - sum;
}

template <typename Output>
WHIT_TARGET void round_fine_loop(const int32_t* fine, const int32_t* bias, size_t count, int32_t low,
                                 int32_t high, Output* y) {
  for (size_t i = 0; i < count; ++i) {
    const int32_t value = (fine[i] + bias[i] + 128) >> 8;
    y[i] = Output(std::min(std::max(value, low), high));
  }
}

WHIT_TARGET void clamp_loop(const int32_t* x, size_t count, int32_t low, int32_t high, int8_t* y) {
  for (size_t i = 0; i < count; ++i) y[i] = int8_t(std::min(std::max(x[i], low), high));
}

WHIT_TARGET int32_t add_scores_loop(int32_t* score, const int32_t* position, size_t count) {
  int32_t greatest = -2 * kGreatestScore;
  for (size_t i = 0; i < count; ++i) {
    score[i] = std::min(std::max(score[i], -kGreatestScore), kGreatestScore) +
               std::min(std::max(position[i], -kGreatestScore), kGreatestScore);
    greatest = std::max(greatest, score[i]);
  }
  return greatest;
}

WHIT_TARGET uint64_t exponentials_loop(int32_t* score, size_t count, int32_t greatest) {
  uint64_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    const int32_t below = std::min(greatest - score[i], kGreatestBelow);
    const int32_t halvings = (below * kReciprocal) >> kReciprocalShift;
    const int32_t r = halvings * kLn2 - below + 1385;
    const int32_t e = (r * r + 1006166) >> halvings;
    score[i] = e;
    sum += uint32_t(e);
  }
  return sum;
}

WHIT_TARGET void narrow_weights_loop(const int32_t* x, size_t count, int16_t* y) {
  for (size_t i = 0; i < count; ++i) y[i] = int16_t(std::min(x[i], INT16_MAX));
}

// Queries side by side, (kQueries, padded channels).
template <typename Element>
WHIT_TARGET void pack_queries_as(const int8_t* rows, size_t row_stride, size_t num_rows, size_t width,
                                 int8_t* packed) {
  const size_t padded_width = IntSequenceFunctions::whole_blocks(width);
  Element* out = reinterpret_cast<Element*>(packed);
  std::memset(out, 0, IntSequenceFunctions::kQueries * padded_width * sizeof(Element));
  for (size_t i = 0; i < num_rows; ++i, out += padded_width, rows += row_stride) {
    for (size_t c = 0; c < width; ++c) out[c] = rows[c];
  }
}

// Rows in groups of kGroup channels, (width / kGroup, padded rows, kGroup): the channels of one row that one
// instruction adds lie side by side. What pads channels is 0, so that it adds nothing to any sum.
template <typename Element, int kGroup>
WHIT_TARGET void pack_rows_in_groups(const int8_t* rows, size_t row_stride, size_t num_rows, size_t width,
                                     int8_t offset, int8_t* packed) {
  const size_t padded_rows = IntSequenceFunctions::whole_blocks(num_rows) + IntSequenceFunctions::kRowBlock;
  Element* out = reinterpret_cast<Element*>(packed);
  for (size_t c = 0; c < width; c += kGroup) {
    const size_t count = std::min<size_t>(kGroup, width - c);
    for (size_t j = 0; j < num_rows; ++j, out += kGroup) {
      int8_t group[kGroup] = {};
      if (count == kGroup) {
        std::memcpy(group, rows + j * row_stride + c, kGroup);
      } else {
        std::memcpy(group, rows + j * row_stride + c, count);
      }
      for (int i = 0; i < kGroup; ++i) out[i] = Element(group[i] ^ offset);
    }
    std::memset(out, 0, (padded_rows - num_rows) * kGroup * sizeof(Element));
    out += (padded_rows - num_rows) * kGroup;
  }
}

// Values of kGroup rows side by side, in 16 bits: (rows / kGroup, padded channels, kGroup).
template <int kGroup>
WHIT_TARGET void pack_values_in_groups(const int8_t* rows, size_t row_stride, size_t num_rows, size_t width,
                                       int8_t* packed) {
  const size_t padded_width = IntSequenceFunctions::whole_blocks(width);
  int16_t* out = reinterpret_cast<int16_t*>(packed);
  for (size_t j = 0; j < num_rows; j += kGroup, out += padded_width * kGroup) {
    for (int i = 0; i < kGroup; ++i) {
      const bool is_row = j + size_t(i) < num_rows;
      const int8_t* row = rows + (is_row ? j + size_t(i) : j) * row_stride;
      const int16_t keep = is_row ? 1 : 0;
      for (size_t c = 0; c < width; ++c) out[c * kGroup + size_t(i)] = int16_t(row[c] * keep);
      for (size_t c = width; c < padded_width; ++c) out[c * kGroup + size_t(i)] = 0;
    }
  }
}

constexpr IntSequenceFunctions make_int_sequence_functions(Isa isa) {
  IntSequenceFunctions functions{};
  functions.isa = isa;
  functions.look_up = look_up_loop;
  functions.multiply_by_gate = multiply_by_gate_loop;
  functions.moments = moments_loop;
  functions.deviations = deviations_loop;
  functions.round_fine8 = round_fine_loop<int8_t>;
  functions.round_fine16 = round_fine_loop<int16_t>;
  functions.clamp = clamp_loop;
  functions.add_scores = add_scores_loop;
  functions.exponentials = exponentials_loop;
  functions.narrow_weights = narrow_weights_loop;
  functions.pack_queries = pack_queries_as<int8_t>;
  return functions;
}

}  // namespace
}  // namespace whit
