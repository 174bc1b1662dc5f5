#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "whit/conv_geometry.h"
#include "whit/int_conv.h"
#include "whit/packed_matrix.h"
#include "whit/workers.h"

namespace whit {

/// Greatest window, its taps rounded up to a multiple of 4: a window and as many frames lie on the stack.
inline constexpr size_t kMaxDepthwiseSpan = 256;

/// Operator IntDepthwiseConv1d, checked.
struct IntDepthwiseConv {
  PackedMatrix w;  ///< (channels, taps), layout E, no scale
  ConvGeometry geometry;
  size_t num_rows;  ///< of x: the longest utterance
  int8_t x_zero;
  ConvOutputs outputs;  ///< of 8 bits

  size_t channels() const { return w.rows; }
};

/// Checks the window, the zero and the outputs.
/// @param[in] attributes  kernel_size is the columns of w
/// @throws std::invalid_argument "[place] expected ..., received ...".
IntDepthwiseConv checked_int_depthwise_conv(std::string_view place, const PackedMatrix& w,
                                            const ConvAttributes& attributes, int64_t num_rows,
                                            int64_t channels, int64_t x_zero, ConvOutputs outputs);

/// One way to compute the exact int32 sums of a depthwise convolution (docs/kernels.md); all give the same.
struct DepthwiseKernel;

/// Convolves each channel of an utterance with its own taps, and returns how many rows that gives.
/// @param[in]  kernel   the best one where left out
/// @param[in]  x        (num_rows, channels)
/// @param[in]  length   rows of the utterance, clamped to [0, num_rows]
/// @param[out] y        (geometry.out_rows(num_rows), channels); only the rows of the result are written
/// @param[in]  workers  share the channels; the result does not depend on their number
size_t int_depthwise_conv(const IntDepthwiseConv& conv, const int8_t* x, int32_t length, int8_t* y,
                          Workers* workers = nullptr);
size_t int_depthwise_conv(const DepthwiseKernel& kernel, const IntDepthwiseConv& conv, const int8_t* x,
                          int32_t length, int8_t* y, Workers* workers = nullptr);

/// Returns multiply-adds of one run, or the greatest int64 where it would be more.
int64_t int_depthwise_conv_work(const IntDepthwiseConv& conv);

}  // namespace whit
