#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "whit/isa.h"

namespace whit {

/// Taps that a kernel multiplies at once, and channels that it works on.
inline constexpr size_t kTapGroup = 4;
inline constexpr size_t kChannelTile = 16;

/// What a kernel may make of 16 channels, in bytes: of all taps once, of four taps, and of a row.
inline constexpr size_t kCodeHeadBytes = 64;
inline constexpr size_t kMaxCodeBytes = 128;
inline constexpr size_t kMaxRowBytes = 64;

/// One way to compute the exact int32 sums of 16 channels of a depthwise convolution (docs/kernels.md gives
/// the names' grammar). Rows are numbered so that the next tap sees the next row, whatever the dilation is.
/// All kernels give the same integers.
struct DepthwiseKernel {
  const char* name;
  Isa isa;  ///< what it needs

  /// Puts the codes of 16 channels into the order that `accumulate` reads.
  /// @param[in]  codes     (num_groups, 16 channels, 4 taps)
  /// @param[out] prepared  kCodeHeadBytes and num_groups times kMaxCodeBytes, 64-byte aligned
  void (*prepare_codes)(const int8_t* codes, size_t num_groups, std::byte* prepared);

  /// Puts rows into the order that `accumulate` reads.
  /// @param[in]  rows        (num_rows + 3, 16)
  /// @param[out] prepared    num_rows times kMaxRowBytes, 64-byte aligned
  void (*prepare_rows)(const int8_t* rows, size_t num_rows, std::byte* prepared);

  /// Multiplies and adds.
  /// @param[in]  first_rows  (num_outputs,): the row that the first tap sees
  /// @param[out] sums        (num_outputs, 16)
  void (*accumulate)(const std::byte* codes, size_t num_groups, const std::byte* rows,
                     const uint32_t* first_rows, size_t num_outputs, int32_t* sums);
};

/// Every kernel that this processor can run, the best last.
std::vector<const DepthwiseKernel*> depthwise_kernels();

/// Returns the best kernel of the chosen instruction set.
/// @throws std::invalid_argument as `chosen_isa`.
const DepthwiseKernel& select_depthwise_kernel();

}  // namespace whit
