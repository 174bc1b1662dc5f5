#include "whit/int_depthwise_conv.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/expand_e.h"
#include "kernels/integer_functions.h"
#include "whit/depthwise_kernel.h"
#include "whit/fail.h"
#include "whit/valid_rows.h"

namespace whit {
namespace {

// Rows that a block of frames sees: what a kernel makes of them stays in the first two caches.
constexpr size_t kMaxBlockRows = 2 * kMaxDepthwiseSpan;
// Frames whose sums are finished while they are in the first cache.
constexpr size_t kFinishRows = 32;
// What pays for waking a thread (`for_ranges`).
constexpr size_t kLeastWork = size_t{1} << 17;  // multiply-adds of a part

constexpr size_t kMaxTaps = kMaxDepthwiseSpan;
constexpr size_t kGroupTiles = 4;
constexpr size_t kGroupChannels = kGroupTiles * kChannelTile;

size_t num_groups(const ConvGeometry& geometry) { return (geometry.kernel_size + kTapGroup - 1) / kTapGroup; }

/// Rows from the first tap to behind the last, taps rounded up to whole groups: a multiple of the dilation.
size_t window_span(const ConvGeometry& geometry) {
  return num_groups(geometry) * kTapGroup * geometry.dilation;
}

/// The most frames whose rows, rounded up to a multiple of the dilation, are kMaxBlockRows: with n frames
/// `(n - 1) * stride + window_span + dilation - 1` of them at most. One frame always fits: it sees
/// window_span rows, and the dilation is at most a fourth of those.
size_t block_frames(const ConvGeometry& geometry) {
  static_assert(kMaxDepthwiseSpan + kMaxDepthwiseSpan / kTapGroup <= kMaxBlockRows + 1);
  return 1 + (kMaxBlockRows + 1 - window_span(geometry) - geometry.dilation) / geometry.stride;
}

/// What computes 16 channels: their codes in a kernel's order, and what follows their sums.
class ChannelTile {
 public:
  void prepare(const DepthwiseKernel& kernel, const IntDepthwiseConv& conv, size_t tile) {
    int8_t codes[kChannelTile * kMaxTaps];  // (groups, 16, 4)
    const PackedMatrix& w = conv.w;
    for (size_t block = 0; block < w.num_col_blocks(); ++block) {
      expand_quads_e(w.block(tile, block), w.bits, w.tile_codebook(tile),
                     codes + block * kBlockCols * kChannelTile);
    }
    const size_t groups = num_groups(conv.geometry);
    int8_t* last = codes + (groups - 1) * kChannelTile * kTapGroup;
    for (size_t tap = (w.cols - 1) % kTapGroup + 1; tap < kTapGroup; ++tap) {  // what pads a row is any code
      for (size_t channel = 0; channel < kChannelTile; ++channel) last[channel * kTapGroup + tap] = 0;
    }
    kernel.prepare_codes(codes, groups, codes_);
    const size_t channel = tile * kChannelTile;
    num_channels_ = std::min(kChannelTile, conv.channels() - channel);
    stage_ = OutputStage{.bias = conv.outputs.bias.data(),
                         .multiplier = conv.outputs.multiplier.data(),
                         .shift = conv.outputs.shift.data(),
                         .zero = conv.outputs.zero,
                         .low = conv.outputs.low,
                         .high = conv.outputs.high}
                 .from(channel);
  }

  const std::byte* codes() const { return codes_; }

  /// @param[out] y  (num_rows, channels of this tile), rows `y_stride` values apart
  void finish(const SumRows& rows, int8_t* y, size_t y_stride) const {
    const auto finish_rows = integer_functions().finish_rows8;
    if (num_channels_ == kChannelTile) {
      finish_rows(rows, stage_, y, y_stride);
      return;
    }
    int8_t padded_out[kFinishRows * kChannelTile];
    finish_rows(rows, stage_, padded_out, kChannelTile);
    for (size_t m = 0; m < rows.num_rows; ++m) {
      std::memcpy(y + m * y_stride, padded_out + m * kChannelTile, num_channels_);
    }
  }

 private:
  size_t num_channels_ = 0;
  OutputStage stage_ = {};
  alignas(64) std::byte codes_[kCodeHeadBytes + kMaxTaps / kTapGroup * kMaxCodeBytes];
};

/// Four tiles, whose rows are one line of the cache: all that one thread needs to compute them.
class TileGroup {
 public:
  TileGroup(const DepthwiseKernel& kernel, const IntDepthwiseConv& conv, size_t group)
      : kernel_(kernel),
        conv_(conv),
        channel_(group * kGroupChannels),
        num_channels_(std::min(kGroupChannels, conv.channels() - channel_)) {
    for (size_t i = 0; i < num_tiles(); ++i) tiles_[i].prepare(kernel, conv, group * kGroupTiles + i);
  }

  void run(const int8_t* x, size_t length, size_t out_rows, int8_t* y) {
    const size_t most = block_frames(conv_.geometry);
    for (size_t first = 0; first < out_rows; first += most) {
      const size_t count = std::min(most, out_rows - first);
      run_block(x, length, first, count, y + first * conv_.channels() + channel_);
    }
  }

 private:
  size_t num_tiles() const { return (num_channels_ + kChannelTile - 1) / kChannelTile; }

  // Row i of the block is what the first tap of its first frame sees i rows later. Rows of one remainder of
  // the dilation follow each other.
  void run_block(const int8_t* x, size_t length, size_t first, size_t count, int8_t* y) {
    const ConvGeometry& g = conv_.geometry;
    const size_t per_phase = ((count - 1) * g.stride + window_span(g) + g.dilation - 1) / g.dilation;
    for (size_t phase = 0, row = 0; phase < g.dilation; ++phase) {
      for (size_t i = 0; i < per_phase; ++i, ++row) {
        copy_row(x, length, first * g.stride + phase + i * g.dilation, row);
      }
    }
    const size_t num_rows = per_phase * g.dilation;
    for (size_t tile = 0; tile < num_tiles(); ++tile) {
      std::memset(rows_[tile] + num_rows * kChannelTile, 0, 3 * kChannelTile);
      kernel_.prepare_rows(rows_[tile], num_rows, prepared_);
      for (size_t m = 0; m < count; m += kFinishRows) {
        const size_t frames = std::min(kFinishRows, count - m);
        uint32_t first_rows[kFinishRows];
        for (size_t i = 0; i < frames; ++i) {
          const size_t at = (m + i) * g.stride;
          first_rows[i] = uint32_t(at % g.dilation * per_phase + at / g.dilation);
        }
        alignas(64) int32_t sums[kFinishRows * kChannelTile];
        kernel_.accumulate(tiles_[tile].codes(), num_groups(g), prepared_, first_rows, frames, sums);
        tiles_[tile].finish({.sums = sums, .num_rows = frames, .num_cols = kChannelTile, .addend = nullptr},
                            y + m * conv_.channels() + tile * kChannelTile, conv_.channels());
      }
    }
  }

  // A row of x, counted from the padding before it, to row `row` of each tile.
  void copy_row(const int8_t* x, size_t length, size_t at, size_t row) {
    const size_t padding = conv_.geometry.padding;
    int8_t line[kGroupChannels];
    const int8_t* from = line;
    if (at < padding || at - padding >= length) {
      std::memset(line, conv_.x_zero, kGroupChannels);
    } else if (num_channels_ < kGroupChannels) {
      std::memset(line, 0, kGroupChannels);
      std::memcpy(line, x + (at - padding) * conv_.channels() + channel_, num_channels_);
    } else {
      from = x + (at - padding) * conv_.channels() + channel_;
    }
    for (size_t tile = 0; tile < kGroupTiles; ++tile) {
      std::memcpy(rows_[tile] + row * kChannelTile, from + tile * kChannelTile, kChannelTile);
    }
  }

  const DepthwiseKernel& kernel_;
  const IntDepthwiseConv& conv_;
  size_t channel_;
  size_t num_channels_;
  ChannelTile tiles_[kGroupTiles];
  alignas(64) int8_t rows_[kGroupTiles][(kMaxBlockRows + 3) * kChannelTile];  // (rows, 16) each
  alignas(64) std::byte prepared_[kMaxBlockRows * kMaxRowBytes];              // of one tile
};

}  // namespace

IntDepthwiseConv checked_int_depthwise_conv(std::string_view place, const PackedMatrix& w,
                                            const ConvAttributes& attributes, int64_t num_rows,
                                            int64_t channels, int64_t x_zero, ConvOutputs outputs) {
  const ConvGeometry geometry = checked_conv_geometry(place, attributes, num_rows);
  if (geometry.kernel_size != w.cols || channels != int64_t(w.rows)) {
    fail(place, text("x of ", w.rows, " channels"), text(channels));
  }
  if (window_span(geometry) > kMaxDepthwiseSpan) {
    fail(place, text("taps, rounded up to a multiple of 4, times dilation at most ", kMaxDepthwiseSpan),
         text(window_span(geometry)));
  }
  if (x_zero < INT8_MIN || x_zero > INT8_MAX) fail(place, "x_zero of 8 bits", text(x_zero));
  if (outputs.bits != 8) fail(place, "outputs of 8 bits", text(outputs.bits));
  check_conv_outputs(place, outputs, w.padded_rows());
  return {.w = w,
          .geometry = geometry,
          .num_rows = size_t(num_rows),
          .x_zero = int8_t(x_zero),
          .outputs = std::move(outputs)};
}

size_t int_depthwise_conv(const IntDepthwiseConv& conv, const int8_t* x, int32_t length, int8_t* y,
                          Workers* workers) {
  return int_depthwise_conv(select_depthwise_kernel(), conv, x, length, y, workers);
}

size_t int_depthwise_conv(const DepthwiseKernel& kernel, const IntDepthwiseConv& conv, const int8_t* x,
                          int32_t length, int8_t* y, Workers* workers) {
  const size_t rows = valid_rows(length, conv.num_rows), out_rows = conv.geometry.out_rows(rows);
  const size_t groups = (conv.channels() + kGroupChannels - 1) / kGroupChannels;
  const size_t group_work = std::max<size_t>(out_rows * conv.geometry.kernel_size * kGroupChannels, 1);
  for_ranges(workers, groups, (kLeastWork + group_work - 1) / group_work, [&](size_t begin, size_t end) {
    for (size_t group = begin; group < end; ++group) {
      TileGroup(kernel, conv, group).run(x, rows, out_rows, y);
    }
  });
  return out_rows;
}

int64_t int_depthwise_conv_work(const IntDepthwiseConv& conv) {
  const int64_t weights = int64_t(conv.w.padded_rows()) * int64_t(conv.w.padded_cols());  // below 2^42
  return conv.geometry.work(weights, conv.num_rows);
}

}  // namespace whit
