#include "whit/int_conv.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "kernels/integer_functions.h"
#include "whit/fail.h"
#include "whit/requantize.h"

namespace whit {
namespace {

// Weights of a super-tile are multiplied in strips of columns that stay in the first cache while rows pass.
constexpr size_t kStripCols = 512;
// Frames that are gathered and multiplied together: so often, at most, a strip of weights is read again.
constexpr size_t kBlockRows = 128;
// Frames whose sums are finished while they are in the first cache.
constexpr size_t kFinishRows = 32;
// To wake a thread takes the caller some two microseconds, in which it would multiply about so much itself.
constexpr size_t kLeastWork = size_t{1} << 18;  // multiply-adds of a part

void add_wrapping(const int32_t* more, size_t count, int32_t* sums) {
  for (size_t i = 0; i < count; ++i) sums[i] = int32_t(uint32_t(sums[i]) + uint32_t(more[i]));
}

size_t strip_cols(const PackedMatrix& w, size_t strip) {
  return std::min(kStripCols, w.padded_cols() - strip * kStripCols);
}

size_t num_strips(const PackedMatrix& w) { return (w.padded_cols() + kStripCols - 1) / kStripCols; }

// One super-tile's columns of one strip, as a matrix of its own.
PackedMatrix view_strip(const PackedMatrix& w, size_t super_tile, size_t strip) {
  PackedMatrix view = w;
  view.rows = kSuperTileRows;
  view.cols = strip_cols(w, strip);
  view.data = w.block(2 * super_tile, strip * kStripCols / kBlockCols);
  view.codebook = w.tile_codebook(2 * super_tile);
  return view;
}

/// The rows of windows of one block of frames, prepared strip by strip.
class PreparedBlock {
 public:
  PreparedBlock(const MatmulKernel& kernel, const IntConv& conv, std::byte* scratch)
      : kernel_(kernel), conv_(conv), window_(reinterpret_cast<int8_t*>(scratch)) {
    lhs_ = scratch + window_bytes(conv);
  }

  static size_t window_bytes(const IntConv& conv) { return (conv.w.padded_cols() + 63) / 64 * 64; }
  static size_t scratch_bytes(const MatmulKernel& kernel, const IntConv& conv) {
    const size_t full = conv.w.padded_cols() / kStripCols, rest = conv.w.padded_cols() % kStripCols;
    const size_t row_bytes = full * kernel.lhs_bytes(kStripCols) + (rest ? kernel.lhs_bytes(rest) : 0);
    return window_bytes(conv) + kBlockRows * row_bytes;
  }

  void prepare(const int8_t* x, size_t length, size_t first, size_t num_rows) const {
    const size_t cols = conv_.w.cols, padded_cols = conv_.w.padded_cols();
    std::memset(window_ + cols, 0, padded_cols - cols);
    for (size_t m = 0; m < num_rows; ++m) {
      gather(x, length, first + m);
      for (size_t strip = 0; strip < num_strips(conv_.w); ++strip) {
        kernel_.prepare(window_ + strip * kStripCols, strip_cols(conv_.w, strip), row(strip, m));
      }
    }
  }

  /// Returns a prepared row of a strip; those of the next frames follow.
  std::byte* row(size_t strip, size_t m) const {
    return lhs_ + strip * kBlockRows * kernel_.lhs_bytes(kStripCols) +
           m * kernel_.lhs_bytes(strip_cols(conv_.w, strip));
  }

 private:
  // The rows that one output sees, side by side.
  void gather(const int8_t* x, size_t length, size_t out) const {
    const ConvGeometry& g = conv_.geometry;
    int8_t* to = window_;
    for (size_t tap = 0; tap < g.kernel_size; ++tap, to += conv_.channels) {
      const size_t at = out * g.stride + tap * g.dilation;  // with the padding before the first row
      if (at >= g.padding && at - g.padding < length) {
        std::memcpy(to, x + (at - g.padding) * conv_.channels, conv_.channels);
      } else {
        std::memset(to, conv_.x_zero, conv_.channels);
      }
    }
  }

  const MatmulKernel& kernel_;
  const IntConv& conv_;
  int8_t* window_;  // (padded cols,)
  std::byte* lhs_;  // (strips, kBlockRows, lhs_bytes)
};

template <typename Output>
void finish(void (*finish_rows)(const SumRows&, const OutputStage&, Output*, size_t), const SumRows& rows,
            const OutputStage& stage, size_t num_outputs, Output* y, size_t y_stride) {
  if (num_outputs == kSuperTileRows) {
    finish_rows(rows, stage, y, y_stride);
    return;
  }
  Output padded_out[kFinishRows * kSuperTileRows];
  int16_t padded_addend[kFinishRows * kSuperTileRows] = {};
  SumRows padded_rows = rows;
  if (rows.addend) {
    for (size_t m = 0; m < rows.num_rows; ++m) {
      std::memcpy(padded_addend + m * kSuperTileRows, rows.addend + m * rows.addend_stride,
                  num_outputs * sizeof(int16_t));
    }
    padded_rows.addend = padded_addend;
    padded_rows.addend_stride = kSuperTileRows;
  }
  finish_rows(padded_rows, stage, padded_out, kSuperTileRows);
  for (size_t m = 0; m < rows.num_rows; ++m) {
    std::memcpy(y + m * y_stride, padded_out + m * kSuperTileRows, num_outputs * sizeof(Output));
  }
}

/// One run: blocks of frames, one after the other, and their super-tiles, shared by threads.
template <typename Output>
struct Run {
  const MatmulKernel& kernel;
  const IntConv& conv;
  const PreparedBlock& block;
  OutputStage stage;
  void (*finish_rows)(const SumRows&, const OutputStage&, Output*, size_t);
  const int16_t* addend;
  Output* y;

  // Frames [first, first + num_rows), of which [m, end) of the block are to be computed.
  void multiply(size_t super_tile, size_t first, size_t m, size_t end) const {
    alignas(64) int32_t sums[kBlockRows * kSuperTileRows];
    alignas(64) int32_t more[kFinishRows * kSuperTileRows];
    const size_t last_strip = num_strips(conv.w) - 1;
    for (size_t strip = 0; strip <= last_strip; ++strip) {
      const PackedMatrix view = view_strip(conv.w, super_tile, strip);
      for (size_t at = m; at < end; at += kFinishRows) {
        const size_t count = std::min(kFinishRows, end - at);
        int32_t* out = sums + (at - m) * kSuperTileRows;
        kernel.accumulate(view, 0, block.row(strip, at), count, strip == 0 ? out : more);
        if (strip > 0) add_wrapping(more, count * kSuperTileRows, out);
        if (strip == last_strip) finish_frames(super_tile, first + at, count, out);
      }
    }
  }

  void finish_frames(size_t super_tile, size_t frame, size_t count, const int32_t* sums) const {
    const size_t row = super_tile * kSuperTileRows, rows = conv.w.rows;
    const SumRows sum_rows{.sums = sums,
                           .num_rows = count,
                           .num_cols = kSuperTileRows,
                           .addend = addend ? addend + frame * rows + row : nullptr,
                           .addend_stride = rows};
    finish(finish_rows, sum_rows, stage.from(row), std::min(kSuperTileRows, rows - row),
           y + frame * rows + row, rows);
  }

  void multiply_all(const int8_t* x, size_t length, size_t out_rows, Workers* workers) const {
    // A matrix of few rows is cut by frames instead, so that there is something to share.
    const size_t tiles = conv.w.num_super_tiles();
    const size_t rows_at_once = tiles >= 8 ? kBlockRows : kFinishRows;
    for (size_t first = 0; first < out_rows; first += kBlockRows) {
      const size_t num_rows = std::min(kBlockRows, out_rows - first);
      block.prepare(x, length, first, num_rows);
      const size_t parts = (num_rows + rows_at_once - 1) / rows_at_once;
      const size_t part_work = kSuperTileRows * conv.w.padded_cols() * std::min(num_rows, rows_at_once);
      for_ranges(workers, tiles * parts, (kLeastWork + part_work - 1) / part_work,
                 [&](size_t begin, size_t end) {
                   for (size_t item = begin; item < end; ++item) {
                     const size_t m = item % parts * rows_at_once;
                     multiply(item / parts, first, m, std::min(num_rows, m + rows_at_once));
                   }
                 });
    }
  }
};

OutputStage stage_of(const ConvOutputs& outputs) {
  return {.bias = outputs.bias.data(),
          .multiplier = outputs.multiplier.data(),
          .shift = outputs.shift.data(),
          .zero = outputs.zero,
          .low = outputs.low,
          .high = outputs.high};
}

}  // namespace

void check_conv_outputs(std::string_view place, const ConvOutputs& outputs, size_t padded_rows) {
  if (outputs.bits != 8 && outputs.bits != 16) fail(place, "y_bits of 8 or 16", text(outputs.bits));
  const int32_t most = outputs.bits == 8 ? INT8_MAX : INT16_MAX;
  const auto in_type = [&](int32_t value) { return value >= -most - 1 && value <= most; };
  if (!in_type(outputs.zero) || !in_type(outputs.low) || !in_type(outputs.high) ||
      outputs.low > outputs.high) {
    fail(place, text("y_zero, and low up to high, of ", outputs.bits, " bits"),
         text(outputs.zero, ", ", outputs.low, " and ", outputs.high));
  }
  for (const std::vector<int32_t>* values : {&outputs.bias, &outputs.multiplier, &outputs.shift}) {
    if (values->size() != padded_rows) {
      fail(place, text("bias, multiplier and shift of ", padded_rows, " values"), text(values->size()));
    }
  }
  check_requantization(place, outputs.multiplier, outputs.shift);
}

IntConv checked_int_conv(std::string_view place, const PackedMatrix& w, const ConvAttributes& attributes,
                         int64_t num_rows, int64_t channels, int64_t x_zero, ConvOutputs outputs) {
  const ConvGeometry geometry = checked_conv_geometry(place, attributes, num_rows);
  if (channels < 1 || channels > int64_t(w.cols) || geometry.kernel_size * size_t(channels) != w.cols) {
    fail(place, text(w.cols, " columns, ", geometry.kernel_size, " for each channel"),
         text(channels, " channels"));
  }
  if (x_zero < INT8_MIN || x_zero > INT8_MAX) fail(place, "x_zero of 8 bits", text(x_zero));
  check_conv_outputs(place, outputs, w.padded_rows());
  return {.w = w,
          .geometry = geometry,
          .num_rows = size_t(num_rows),
          .channels = size_t(channels),
          .x_zero = int8_t(x_zero),
          .outputs = std::move(outputs)};
}

size_t int_conv_scratch_bytes(const MatmulKernel& kernel, const IntConv& conv) {
  return PreparedBlock::scratch_bytes(kernel, conv);
}

size_t int_conv(const MatmulKernel& kernel, const IntConv& conv, const int8_t* x, int32_t length,
                const int16_t* addend, void* y, std::byte* scratch, Workers* workers) {
  const size_t rows = clamped_length(length, conv.num_rows), out_rows = conv.geometry.out_rows(rows);
  const PreparedBlock block(kernel, conv, scratch);
  const IntegerFunctions& functions = integer_functions();
  const OutputStage stage = stage_of(conv.outputs);
  if (conv.outputs.bits == 8) {
    const Run<int8_t> run{
        kernel, conv, block, stage, functions.finish_rows8, addend, static_cast<int8_t*>(y)};
    run.multiply_all(x, rows, out_rows, workers);
  } else {
    const Run<int16_t> run{
        kernel, conv, block, stage, functions.finish_rows16, addend, static_cast<int16_t*>(y)};
    run.multiply_all(x, rows, out_rows, workers);
  }
  return out_rows;
}

int64_t int_conv_work(const IntConv& conv) {
  int64_t work = int64_t(conv.w.padded_rows() * conv.w.padded_cols());  // below 2^42
  if (__builtin_mul_overflow(work, int64_t(conv.geometry.out_rows(conv.num_rows)), &work)) {
    work = std::numeric_limits<int64_t>::max();
  }
  return work;
}

}  // namespace whit
