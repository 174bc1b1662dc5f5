#include "whit/int_conv.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/integer_functions.h"
#include "whit/fail.h"
#include "whit/requantize.h"
#include "whit/valid_rows.h"

namespace whit {
namespace {

// Weights of a super-tile are multiplied in strips of columns that stay in the first cache while rows pass.
constexpr size_t kStripCols = 512;
// Frames that a super-tile passes over at once: so often, at most, a strip of weights is read again.
constexpr size_t kBlockRows = 128;
// Prepared frames, where that is more than one such block: one run of the threads, in most layers.
constexpr size_t kPreparedBytes = size_t{4} << 20;
// Frames that one thread takes at least, a multiple of what kernels hold in registers.
constexpr size_t kUnitRows = 16;
// Frames whose sums are finished while they are in the first cache.
constexpr size_t kFinishRows = 32;
// What pays for waking a thread (`for_ranges`): a product does about so many in that time.
constexpr uint64_t kLeastWork = uint64_t{1} << 18;  // multiply-adds of a part
// Copies of the frames, each for one part, where threads share the super-tiles: no more are made than need
// be.
constexpr size_t kCopiesPerThread = 2;

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

/// Frames that follow each other.
struct FrameBlock {
  size_t frame;  ///< the first one
  size_t place;  ///< where its prepared row is
  size_t count;
};

/// The rows of windows of some frames, prepared strip by strip.
class PreparedRows {
 public:
  /// @param[in] scratch  (scratch_bytes,), 64-byte aligned
  PreparedRows(const MatmulKernel& kernel, const IntConv& conv, std::byte* scratch)
      : kernel_(kernel), conv_(conv), lhs_(scratch), max_rows_(max_rows(kernel, conv)) {}

  /// Returns how many frames have room.
  static size_t max_rows(const MatmulKernel& kernel, const IntConv& conv) {
    const size_t all = conv.geometry.out_rows(conv.num_rows);
    return std::min(all, std::max(kPreparedBytes / row_bytes(kernel, conv), kBlockRows));
  }
  static size_t scratch_bytes(const MatmulKernel& kernel, const IntConv& conv) {
    return max_rows(kernel, conv) * row_bytes(kernel, conv);
  }
  size_t max_rows() const { return max_rows_; }

  /// Several threads may prepare blocks in other places.
  void prepare(const int8_t* x, size_t length, const FrameBlock& block) const {
    for (size_t m = 0; m < block.count; ++m) {
      for (size_t strip = 0; strip < num_strips(conv_.w); ++strip) {
        int8_t window[kStripCols];
        kernel_.prepare(gather(x, length, block.frame + m, strip, window), strip_cols(conv_.w, strip),
                        row(strip, block.place + m));
      }
    }
  }

  /// Returns a prepared row of a strip; those of the next places follow.
  std::byte* row(size_t strip, size_t place) const {
    return lhs_ + strip * max_rows_ * kernel_.lhs_bytes(kStripCols) +
           place * kernel_.lhs_bytes(strip_cols(conv_.w, strip));
  }

 private:
  static size_t row_bytes(const MatmulKernel& kernel, const IntConv& conv) {
    const size_t full = conv.w.padded_cols() / kStripCols, rest = conv.w.padded_cols() % kStripCols;
    return full * kernel.lhs_bytes(kStripCols) + (rest ? kernel.lhs_bytes(rest) : 0);
  }

  // Returns one strip of the rows that an output sees, side by side: in `window`, or in x where they are
  // there.
  const int8_t* gather(const int8_t* x, size_t length, size_t out, size_t strip, int8_t* window) const {
    const ConvGeometry& g = conv_.geometry;
    const size_t first_col = strip * kStripCols, num_cols = strip_cols(conv_.w, strip);
    const size_t num_values = std::min(num_cols, conv_.w.cols - first_col);
    size_t tap = first_col / conv_.channels, channel = first_col % conv_.channels;
    for (size_t col = 0; col < num_values; ++tap, channel = 0) {
      const size_t count = std::min(conv_.channels - channel, num_values - col);
      const size_t at = out * g.stride + tap * g.dilation;  // with the padding before the first row
      if (at >= g.padding && at - g.padding < length) {
        const int8_t* from = x + (at - g.padding) * conv_.channels + channel;
        if (count == num_cols) return from;
        std::memcpy(window + col, from, count);
      } else {
        std::memset(window + col, conv_.x_zero, count);
      }
      col += count;
    }
    std::memset(window + num_values, 0, num_cols - num_values);
    return window;
  }

  const MatmulKernel& kernel_;
  const IntConv& conv_;
  std::byte* lhs_;  // (strips, max_rows, lhs_bytes)
  size_t max_rows_;
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

/// One run, shared by threads.
template <typename Output>
struct Run {
  const MatmulKernel& kernel;
  const IntConv& conv;
  const PreparedRows& prepared;
  OutputStage stage;
  void (*finish_rows)(const SumRows&, const OutputStage&, Output*, size_t);
  const int16_t* addend;
  Output* y;

  void multiply_all(const int8_t* x, size_t length, size_t out_rows, Workers* workers) const {
    const size_t tiles_each = workers ? least_tiles(out_rows, workers->num_threads()) : 0;
    if (tiles_each > 0) {
      share_tiles(x, length, out_rows, tiles_each, workers);
    } else {
      share_frames(x, length, out_rows, workers);
    }
  }

 private:
  // Returns how many super-tiles a part has at least, or 0 where threads had better share the frames. Few
  // frames cannot be shared evenly; and what makes a tile of channels here is, with luck, the thread that
  // will need them in the next depthwise convolution. To read them from another core takes longer.
  size_t least_tiles(size_t out_rows, size_t num_threads) const {
    if (out_rows == 0 || out_rows > kBlockRows) return 0;
    const size_t tiles = conv.w.num_super_tiles();
    const size_t copies = std::min(prepared.max_rows() / out_rows, kCopiesPerThread * num_threads);
    const size_t tile_work = out_rows * kSuperTileRows * conv.w.padded_cols();
    const size_t least =
        std::max((tiles + copies - 1) / copies, size_t((kLeastWork + tile_work - 1) / tile_work));
    return tiles < 2 * least ? 0 : least;
  }

  // Each part prepares all frames for itself: another core's copy would be as far away as x.
  void share_tiles(const int8_t* x, size_t length, size_t out_rows, size_t least, Workers* workers) const {
    for_ranges(workers, conv.w.num_super_tiles(), least, [&](size_t begin, size_t end) {
      const FrameBlock block{.frame = 0, .place = begin / least * out_rows, .count = out_rows};
      prepared.prepare(x, length, block);
      for (size_t tile = begin; tile < end; ++tile) multiply(tile, block);
    });
  }

  void share_frames(const int8_t* x, size_t length, size_t out_rows, Workers* workers) const {
    const uint64_t unit_work = uint64_t{kUnitRows} * conv.w.padded_rows() * conv.w.padded_cols();
    const auto least_units = size_t((kLeastWork + unit_work - 1) / unit_work);
    for (size_t first = 0; first < out_rows; first += prepared.max_rows()) {
      const size_t num_rows = std::min(prepared.max_rows(), out_rows - first);
      const size_t units = (num_rows + kUnitRows - 1) / kUnitRows;
      for_ranges(workers, units, least_units, [&](size_t from, size_t to) {
        const size_t last = std::min(num_rows, to * kUnitRows);
        for (size_t place = from * kUnitRows; place < last; place += kBlockRows) {
          const FrameBlock block{
              .frame = first + place, .place = place, .count = std::min(last - place, kBlockRows)};
          prepared.prepare(x, length, block);
          for (size_t tile = 0; tile < conv.w.num_super_tiles(); ++tile) multiply(tile, block);
        }
      });
    }
  }

  // At most kBlockRows frames.
  void multiply(size_t super_tile, const FrameBlock& block) const {
    alignas(64) int32_t sums[kBlockRows * kSuperTileRows];
    alignas(64) int32_t more[kFinishRows * kSuperTileRows];
    const size_t last_strip = num_strips(conv.w) - 1;
    for (size_t strip = 0; strip <= last_strip; ++strip) {
      const PackedMatrix view = view_strip(conv.w, super_tile, strip);
      for (size_t m = 0; m < block.count; m += kFinishRows) {
        const size_t count = std::min(kFinishRows, block.count - m);
        int32_t* out = sums + m * kSuperTileRows;
        kernel.accumulate(view, 0, prepared.row(strip, block.place + m), count, strip == 0 ? out : more);
        if (strip > 0) add_wrapping(more, count * kSuperTileRows, out);
        if (strip == last_strip) finish_frames(super_tile, block.frame + m, count, out);
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
  return PreparedRows::scratch_bytes(kernel, conv);
}

size_t int_conv(const MatmulKernel& kernel, const IntConv& conv, const int8_t* x, int32_t length,
                const int16_t* addend, void* y, std::byte* scratch, Workers* workers) {
  const size_t rows = valid_rows(length, conv.num_rows), out_rows = conv.geometry.out_rows(rows);
  const PreparedRows prepared(kernel, conv, scratch);
  const IntegerFunctions& functions = integer_functions();
  const OutputStage stage = stage_of(conv.outputs);
  if (conv.outputs.bits == 8) {
    const Run<int8_t> run{
        kernel, conv, prepared, stage, functions.finish_rows8, addend, static_cast<int8_t*>(y)};
    run.multiply_all(x, rows, out_rows, workers);
  } else {
    const Run<int16_t> run{
        kernel, conv, prepared, stage, functions.finish_rows16, addend, static_cast<int16_t*>(y)};
    run.multiply_all(x, rows, out_rows, workers);
  }
  return out_rows;
}

int64_t int_conv_work(const IntConv& conv) {
  const int64_t weights = int64_t(conv.w.padded_rows()) * int64_t(conv.w.padded_cols());  // below 2^42
  return conv.geometry.work(weights, conv.num_rows);
}

}  // namespace whit
