#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "whit/conv_geometry.h"
#include "whit/matmul_kernel.h"
#include "whit/packed_matrix.h"
#include "whit/workers.h"

namespace whit {

/// What follows the sums of an integer convolution, a value for each padded row of weights, and the range of
/// its output.
struct ConvOutputs {
  std::vector<int32_t> bias;        ///< (padded rows,)
  std::vector<int32_t> multiplier;  ///< (padded rows,)
  std::vector<int32_t> shift;       ///< (padded rows,)
  int32_t zero;                     ///< that is added before the clamp
  int32_t low;                      ///< least output
  int32_t high;                     ///< greatest output
  int32_t bits = 8;                 ///< of an output: 8 or 16
};

/// Checks the constants of an integer convolution against docs/format.md, section 10.
/// @throws std::invalid_argument "[place] expected ..., received ...".
void check_conv_outputs(std::string_view place, const ConvOutputs& outputs, size_t padded_rows);

/// Operator IntConv1d, checked.
struct IntConv {
  PackedMatrix w;  ///< layout E, no scale; column `tap * channels + channel`
  ConvGeometry geometry;
  size_t num_rows;  ///< of x: the longest utterance
  size_t channels;
  int8_t x_zero;
  ConvOutputs outputs;
};

/// Checks that columns, window and zero agree, and the outputs.
/// @throws std::invalid_argument "[place] expected ..., received ...".
IntConv checked_int_conv(std::string_view place, const PackedMatrix& w, const ConvAttributes& attributes,
                         int64_t num_rows, int64_t channels, int64_t x_zero, ConvOutputs outputs);

/// Returns the scratch bytes `int_conv` needs.
size_t int_conv_scratch_bytes(const MatmulKernel& kernel, const IntConv& conv);

/// Convolves the rows of an utterance, and returns how many rows that gives.
/// @param[in]  kernel   serves w's layout and width
/// @param[in]  x        (num_rows, channels)
/// @param[in]  length   rows of the utterance, clamped to [0, num_rows]
/// @param[in]  addend   (geometry.out_rows(num_rows), w.rows), or null
/// @param[out] y        (geometry.out_rows(num_rows), w.rows): int8 or int16 by `outputs.bits`; only the rows
///                      of the result are written
/// @param      scratch  (int_conv_scratch_bytes,), 64-byte aligned
/// @param[in]  workers  share the work; the result does not depend on their number
size_t int_conv(const MatmulKernel& kernel, const IntConv& conv, const int8_t* x, int32_t length,
                const int16_t* addend, void* y, std::byte* scratch, Workers* workers = nullptr);

/// Returns multiply-adds of one run, or the greatest int64 where it would be more.
int64_t int_conv_work(const IntConv& conv);

}  // namespace whit
