#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace whit {

/// How a convolution's window moves over rows (docs/format.md, section 10).
struct ConvGeometry {
  size_t kernel_size;
  size_t stride;    ///< rows from one output to the next
  size_t dilation;  ///< rows from one tap to the next
  size_t padding;   ///< rows on either side

  /// Returns the outputs of `length` rows; 0 of none.
  size_t out_rows(size_t length) const {
    const size_t padded_rows = length + 2 * padding, span = dilation * (kernel_size - 1) + 1;
    return length == 0 || padded_rows < span ? 0 : (padded_rows - span) / stride + 1;
  }

  /// Returns multiply-adds over `length` rows, `weights` an output, or the greatest int64 if they are more.
  int64_t work(int64_t weights, size_t length) const {
    int64_t product;
    const bool overflows = __builtin_mul_overflow(weights, out_rows(length), &product);
    return overflows ? std::numeric_limits<int64_t>::max() : product;
  }
};

/// What a file says about a window, unchecked.
struct ConvAttributes {
  int64_t kernel_size;
  int64_t stride;
  int64_t dilation;
  int64_t padding;
};

/// Longest window and padding: beyond any network, and far from overflow.
inline constexpr int64_t kMaxConvSpan = int64_t{1} << 20;

/// Checks that a window is one, and that `num_rows` rows give an output.
/// @throws std::invalid_argument "[place] expected ..., received ...".
ConvGeometry checked_conv_geometry(std::string_view place, const ConvAttributes& attributes,
                                   int64_t num_rows);

}  // namespace whit
