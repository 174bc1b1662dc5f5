#include "whit/packed_view.h"

#include <string>

#include "whit/fail.h"
#include "whit/lstm.h"

namespace whit {
namespace {

std::string describe(const PackedArrays& a) {
  return text(a.rows, " x ", a.cols, " at ", a.bits, " bits, layout ", a.layout);
}

void check_range(std::string_view place, const char* name, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high) fail(place, text(name, " in [", low, ", ", high, "]"), text(value));
}

void check_count(std::string_view place, const char* name, const PackedArrays& a, size_t expected,
                 size_t received) {
  if (received != expected)
    fail(place, text(name, " of ", expected, " values for ", describe(a)), text(received));
}

// Kernels rely on the range: four products must fit 16 bits (docs/format.md, section 1); in integer-only
// operators an activation may be -128 (section 10).
void check_value(std::string_view place, const PackedMatrix& w, size_t tile, int value) {
  const int low = w.bits > 4 ? -127 : w.scale ? -64 : -63;
  const int high = w.bits <= 4 ? 63 : 127;
  if (value < low || value > high) {
    fail(place, text("codebook values in [", low, ", ", high, "]"), text(value, " in tile ", tile));
  }
}

void check_entries(std::string_view place, const PackedMatrix& w, size_t tile) {
  const int8_t* entries = w.tile_codebook(tile);
  const int num_values = 1 << w.bits;
  if (w.layout == Layout::kP) {
    for (int set = 0; set < num_values; ++set) {
      int value = entries[0];
      for (int p = 0; p < w.bits; ++p) value += (set >> p & 1) * entries[1 + p];
      check_value(place, w, tile, value);
    }
    return;
  }
  for (int i = 0; i < int(codebook_width(w.layout, w.bits)); ++i) {
    check_value(place, w, tile, entries[i]);
    if (entries[i] != entries[i % num_values]) {
      fail(place, text("codebook entries that repeat after ", num_values),
           text(int(entries[i]), " at entry ", i, " of tile ", tile));
    }
  }
}

void check_codebook(std::string_view place, const PackedMatrix& w, const PackedArrays& a) {
  const size_t width = codebook_width(w.layout, w.bits);
  if (width == 0) {
    if (a.codebook) fail(place, text("no codebook for ", describe(a)), "one");
    return;
  }
  const size_t tiles = w.padded_rows() / kTileRows;
  const std::string expected =
      text("codebook of shape (", tiles, ", ", width, ") for ", describe(a), ", or one row for all tiles");
  if (!a.codebook) fail(place, expected, "none");
  if ((a.codebook_tiles != 1 && a.codebook_tiles != tiles) || a.codebook_width != width) {
    fail(place, expected, text("(", a.codebook_tiles, ", ", a.codebook_width, ")"));
  }
  for (size_t tile = 0; tile < a.codebook_tiles; ++tile) check_entries(place, w, tile);
}

}  // namespace

PackedMatrix view_packed_matrix(std::string_view place, const PackedArrays& a) {
  if (a.layout != "E" && a.layout != "P") fail(place, "layout \"E\" or \"P\"", text('"', a.layout, '"'));
  if (a.integer && a.layout != "E") fail(place, "layout \"E\"", text('"', a.layout, '"'));
  check_range(place, "rows", a.rows, 1, kMaxRows);
  check_range(place, "cols", a.cols, 1, a.integer ? kMaxCols - 1 : kMaxCols);
  check_range(place, text("bits of layout ", a.layout).c_str(), a.bits, 1, a.layout == "E" ? 8 : 3);
  const Layout layout = a.layout == "E" ? Layout::kE : Layout::kP;
  const PackedMatrix w{
      .rows = size_t(a.rows),
      .cols = size_t(a.cols),
      .bits = int(a.bits),
      .layout = layout,
      .data = static_cast<const uint8_t*>(a.data),
      .codebook = static_cast<const int8_t*>(a.codebook),
      .codebook_stride = a.codebook_tiles == 1 ? 0 : codebook_width(layout, int(a.bits)),
      .scale = a.integer ? FloatView() : FloatView(a.scale),
      .bias = FloatView(a.bias),
  };
  const uint64_t data_bytes = uint64_t{w.padded_rows()} / 8 * w.padded_cols() * uint64_t(w.bits);
  if (a.data_bytes != data_bytes)
    fail(place, text("data of ", data_bytes, " bytes for ", describe(a)), text(a.data_bytes));
  check_codebook(place, w, a);
  check_count(place, "scale", a, a.integer ? 0 : w.padded_rows(), a.scale_count);
  if (a.bias) check_count(place, "bias", a, w.padded_rows(), a.bias_count);
  return w;
}

int64_t checked_lstm_packed_rows(std::string_view place, int64_t hidden_size) {
  check_range(place, "hidden_size", hidden_size, 1, kMaxCols);
  return int64_t(lstm_packed_rows(size_t(hidden_size)));
}

}  // namespace whit
