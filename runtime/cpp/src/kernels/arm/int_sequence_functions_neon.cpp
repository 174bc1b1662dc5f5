#include <arm_neon.h>

#include "kernels/arm/int_sequence_functions_arm.h"

#define WHIT_TARGET
#include "kernels/int_sequence_loops.h"

// Rows are packed in pairs of channels: smull of 4 rows x 2 channels fits 16 bits, sadalp adds the pairs.

namespace whit {
namespace {

constexpr size_t kRowGroup = 2;
constexpr size_t kRows = 4;  // of one vector
constexpr size_t kBlock = IntSequenceFunctions::kRowBlock;
constexpr size_t kVectors = kBlock / kRows;
constexpr size_t kQueries = IntSequenceFunctions::kQueries;

void pack_rows_neon(const int8_t* rows, size_t row_stride, size_t num_rows, size_t width, int8_t* packed) {
  pack_rows_in_groups<int8_t, kRowGroup>(rows, row_stride, num_rows, width, 0, packed);
}

void dot_rows_neon(const int8_t* queries, const int8_t* packed, size_t num_packed, size_t width, size_t first,
                   size_t count, int32_t* sums, size_t stride) {
  const size_t query_stride = IntSequenceFunctions::whole_blocks(width);
  const size_t num_groups = (width + kRowGroup - 1) / kRowGroup;
  const size_t group_stride = (IntSequenceFunctions::whole_blocks(num_packed) + kBlock) * kRowGroup;
  for (size_t j = 0; j < count; j += kBlock) {
    const int8_t* rows = packed + (first + j) * kRowGroup;
    int32x4_t acc[kQueries][kVectors] = {};
    for (size_t g = 0; g < num_groups; ++g, rows += group_stride) {
      int8x8_t part[kVectors];
#pragma GCC unroll 4
      for (size_t v = 0; v < kVectors; ++v) part[v] = vld1_s8(rows + v * kRows * kRowGroup);
#pragma GCC unroll 4
      for (size_t i = 0; i < kQueries; ++i) {
        int16_t pair;
        std::memcpy(&pair, queries + i * query_stride + kRowGroup * g, sizeof(pair));
        const int8x8_t q = vreinterpret_s8_s16(vdup_n_s16(pair));
#pragma GCC unroll 4
        for (size_t v = 0; v < kVectors; ++v) acc[i][v] = vpadalq_s16(acc[i][v], vmull_s8(part[v], q));
      }
    }
    for (size_t i = 0; i < kQueries; ++i) {
      for (size_t v = 0; v < kVectors; ++v) vst1q_s32(sums + i * stride + j + v * kRows, acc[i][v]);
    }
  }
}

constexpr IntSequenceFunctions make_neon() {
  IntSequenceFunctions functions = make_int_sequence_functions(Isa::kNeon);
  functions.look_up = look_up_neon;
  functions.pack_rows = pack_rows_neon;
  functions.dot_rows = dot_rows_neon;
  functions.pack_values = pack_values_neon;
  functions.weigh_values = weigh_values_neon;
  return functions;
}

uint8x16x4_t load_quarter(const int8_t* table, size_t quarter) {
  const uint8_t* from = reinterpret_cast<const uint8_t*>(table) + 64 * quarter;
  return {{vld1q_u8(from), vld1q_u8(from + 16), vld1q_u8(from + 32), vld1q_u8(from + 48)}};
}

}  // namespace

void look_up_neon(const int8_t* x, const int8_t* table, size_t count, int8_t* y) {
  const uint8x16x4_t part[4] = {load_quarter(table, 0), load_quarter(table, 1), load_quarter(table, 2),
                                load_quarter(table, 3)};
  const uint8x16_t quarter = vdupq_n_u8(64);
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    uint8x16_t index = veorq_u8(vreinterpretq_u8_s8(vld1q_s8(x + i)), vdupq_n_u8(128));
    uint8x16_t found = vqtbl4q_u8(part[0], index);  // an index past 63 leaves what is there
    for (int q = 1; q < 4; ++q) {
      index = vsubq_u8(index, quarter);
      found = vqtbx4q_u8(found, part[q], index);
    }
    vst1q_s8(y + i, vreinterpretq_s8_u8(found));
  }
  look_up_loop(x + i, table, count - i, y + i);
}

void pack_values_neon(const int8_t* rows, size_t row_stride, size_t num_rows, size_t width, int8_t* packed) {
  pack_values_in_groups<1>(rows, row_stride, num_rows, width, packed);
}

void weigh_values_neon(const int16_t* weight, size_t stride, const int8_t* packed, size_t num_rows,
                       size_t width, int32_t* sums) {
  const size_t padded_width = IntSequenceFunctions::whole_blocks(width);
  for (size_t c = 0; c < width; c += kBlock) {
    const int16_t* values = reinterpret_cast<const int16_t*>(packed) + c;
    int32x4_t acc[kQueries][kVectors] = {};
    for (size_t j = 0; j < num_rows; ++j, values += padded_width) {
      const int16x8_t low = vld1q_s16(values), high = vld1q_s16(values + 8);
#pragma GCC unroll 4
      for (size_t i = 0; i < kQueries; ++i) {
        const int16x8_t w = vdupq_n_s16(weight[i * stride + j]);
        acc[i][0] = vmlal_s16(acc[i][0], vget_low_s16(low), vget_low_s16(w));
        acc[i][1] = vmlal_high_s16(acc[i][1], low, w);
        acc[i][2] = vmlal_s16(acc[i][2], vget_low_s16(high), vget_low_s16(w));
        acc[i][3] = vmlal_high_s16(acc[i][3], high, w);
      }
    }
    for (size_t i = 0; i < kQueries; ++i) {
      for (size_t v = 0; v < kVectors; ++v) vst1q_s32(sums + i * padded_width + c + v * kRows, acc[i][v]);
    }
  }
}

const IntSequenceFunctions kIntSequenceFunctionsNeon = make_neon();

}  // namespace whit
