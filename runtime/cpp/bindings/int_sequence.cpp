#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>

#include <algorithm>
#include <tuple>
#include <variant>

#include "arrays.h"
#include "whit/aligned_buffer.h"
#include "whit/int_layer_norm.h"
#include "whit/int_relative_attention.h"
#include "whit/int_table.h"
#include "whit/int_unfold.h"
#include "whit/integer_sqrt.h"
#include "whit/requantize.h"
#include "whit/valid_rows.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace whit::bindings;

namespace {

using Int8Matrix = In<int8_t, 2>;
using Int16Matrix = In<int16_t, 2>;
using Int32Vector = In<int32_t, 1>;
using UnfoldResult = std::tuple<Out<int8_t, 2>, size_t, size_t>;
using RowsResult = std::tuple<Out<int8_t, 2>, size_t>;

template <typename T>
void check_values(const char* place, const char* name, const In<T, 1>& a, size_t count) {
  if (a.size() == count) return;
  whit::fail(place, whit::text(name, " of shape (", count, ",)"), whit::text("(", a.size(), ",)"));
}

void check_matrix(const char* place, const char* name, const Int8Matrix& a, size_t rows, size_t cols) {
  if (a.shape(0) == rows && a.shape(1) == cols) return;
  whit::fail(place, whit::text(name, " of shape (", rows, ", ", cols, ")"),
             whit::text("(", a.shape(0), ", ", a.shape(1), ")"));
}

// Rows that no operator writes are zero here.
template <typename T>
Buffer<T> zeros(size_t count) {
  Buffer<T> buffer(count);
  std::fill_n(buffer.data(), count, T{0});
  return buffer;
}

Out<int8_t, 2> int_table(const Int8Matrix& x, int32_t length, const In<int8_t, 1>& table) {
  check_values("int_table", "table", table, 256);
  Buffer<int8_t> y = zeros<int8_t>(x.size());
  {
    nb::gil_scoped_release release;
    whit::int_table(x.data(), table.data(), whit::valid_rows(length, x.shape(0)) * x.shape(1), y.data());
  }
  return y.release(x.shape(0), x.shape(1));
}

Out<int8_t, 2> int_glu(const Int8Matrix& x, int32_t length, const In<int16_t, 1>& table, int32_t multiplier,
                       int32_t shift, int32_t low, int32_t high) {
  const size_t cols = x.shape(1) / 2;
  check_values("int_glu", "table", table, 256);
  if (x.shape(1) % 2) whit::fail("int_glu", "x of an even width", whit::text(x.shape(1)));
  const whit::IntOutput output{.multiplier = multiplier, .shift = shift, .low = low, .high = high};
  whit::check_int_output("int_glu", output);
  Buffer<int8_t> y = zeros<int8_t>(x.shape(0) * cols);
  {
    nb::gil_scoped_release release;
    whit::int_glu(x.data(), table.data(), whit::valid_rows(length, x.shape(0)), cols, output, y.data());
  }
  return y.release(x.shape(0), cols);
}

template <typename Output>
Out<Output, 2> normalise(const whit::IntLayerNorm& norm, const Int16Matrix& x, int32_t length) {
  Buffer<Output> y = zeros<Output>(x.size());
  {
    nb::gil_scoped_release release;
    whit::int_layer_norm(norm, x.data(), whit::valid_rows(length, x.shape(0)), y.data());
  }
  return y.release(x.shape(0), x.shape(1));
}

std::variant<Out<int8_t, 2>, Out<int16_t, 2>> int_layer_norm(const Int16Matrix& x, int32_t length,
                                                             const Int32Vector& multiplier,
                                                             const Int32Vector& shift,
                                                             const Int32Vector& bias, int32_t epsilon,
                                                             int32_t low, int32_t high, int32_t y_bits) {
  const char* place = "int_layer_norm";
  const size_t cols = x.shape(1);
  check_values(place, "multiplier", multiplier, cols);
  check_values(place, "shift", shift, cols);
  check_values(place, "bias", bias, cols);
  const whit::IntLayerNorm norm{.num_cols = cols,
                                .multiplier = multiplier.data(),
                                .shift = shift.data(),
                                .bias = bias.data(),
                                .epsilon = epsilon,
                                .low = low,
                                .high = high};
  whit::check_int_layer_norm(place, norm, y_bits);
  if (y_bits == 8) return normalise<int8_t>(norm, x, length);
  return normalise<int16_t>(norm, x, length);
}

Out<int8_t, 2> int_relative_attention(const Int8Matrix& qu, const Int8Matrix& qw, const Int8Matrix& k,
                                      const Int8Matrix& v, const Int8Matrix& p, int32_t length, int64_t heads,
                                      int32_t content_multiplier, int32_t content_shift,
                                      int32_t position_multiplier, int32_t position_shift,
                                      int32_t result_multiplier, int32_t result_shift, int32_t low,
                                      int32_t high) {
  const char* place = "int_relative_attention";
  const size_t frames = k.shape(0), width = k.shape(1);
  const whit::IntAttentionConstants constants{
      .content_multiplier = content_multiplier,
      .content_shift = content_shift,
      .position_multiplier = position_multiplier,
      .position_shift = position_shift,
      .result = {.multiplier = result_multiplier, .shift = result_shift, .low = low, .high = high}};
  const whit::IntAttentionShape shape = whit::checked_int_attention(place, int64_t(frames), int64_t(width),
                                                                    int64_t(p.shape(0)), heads, constants);
  check_matrix(place, "qu", qu, frames, width);
  check_matrix(place, "qw", qw, frames, width);
  check_matrix(place, "v", v, frames, width);
  check_matrix(place, "p", p, p.shape(0), width);
  Buffer<int8_t> y = zeros<int8_t>(k.size());
  {
    nb::gil_scoped_release release;
    const whit::AlignedBuffer scratch(whit::int_relative_attention_scratch_bytes(shape));
    whit::int_relative_attention(
        shape, constants,
        {.qu = qu.data(), .qw = qw.data(), .k = k.data(), .v = v.data(), .positions = p.data()},
        whit::valid_rows(length, frames), y.data(), scratch.data(), nullptr);
  }
  return y.release(frames, width);
}

UnfoldResult int_unfold2d(const Int8Matrix& x, int32_t length, int64_t channels, int64_t zero) {
  const whit::IntUnfoldShape shape = whit::checked_int_unfold_shape("int_unfold2d", int64_t(x.shape(0)),
                                                                    int64_t(x.shape(1)), channels, zero);
  const size_t rows = whit::valid_rows(length, shape.num_frames);
  Buffer<int8_t> y = zeros<int8_t>(shape.num_patches() * shape.patch_size());
  {
    nb::gil_scoped_release release;
    whit::int_unfold2d(shape, x.data(), rows, int8_t(zero), y.data());
  }
  const size_t frames = (rows + 1) / 2;
  return {y.release(shape.num_patches(), shape.patch_size()), frames * shape.frequencies_out(), frames};
}

RowsResult distance_rows(const Int8Matrix& table, int32_t length) {
  if (table.shape(0) % 2 == 0) {
    whit::fail("distance_rows", "a table of 2 T - 1 rows", whit::text(table.shape(0)));
  }
  const size_t frames = (table.shape(0) + 1) / 2, rows = whit::valid_rows(length, frames);
  Buffer<int8_t> y = zeros<int8_t>(table.size());
  {
    nb::gil_scoped_release release;
    whit::distance_rows(table.data(), frames, table.shape(1), rows, y.data());
  }
  return {y.release(table.shape(0), table.shape(1)), whit::num_distance_rows(rows)};
}

}  // namespace

void bind_int_sequence(nb::module_& m) {
  const auto strict = [](const char* name) { return nb::arg(name).noconvert(); };
  m.def("integer_sqrt", whit::integer_sqrt, "x"_a,
        "Returns the square root of a 64-bit number, rounded down.");
  m.def("int_table", int_table, strict("x"), "length"_a, strict("table"),
        "Returns table[x + 128] (T, N): operator IntTable of docs/format.md, section 10.");
  m.def("int_glu", int_glu, strict("x"), "length"_a, strict("table"), nb::kw_only(), "multiplier"_a,
        "shift"_a, "low"_a, "high"_a,
        "Returns (T, N) of x (T, 2N): operator IntGlu of docs/format.md, section 10.");
  m.def("int_layer_norm", int_layer_norm, strict("x"), "length"_a, strict("multiplier"), strict("shift"),
        strict("bias"), nb::kw_only(), "epsilon"_a, "low"_a, "high"_a, "y_bits"_a,
        "Returns the rows of x (T, N) normalised, int8 or int16: operator IntLayerNorm of docs/format.md, "
        "section 10.");
  m.def("int_relative_attention", int_relative_attention, strict("qu"), strict("qw"), strict("k"),
        strict("v"), strict("p"), "length"_a, nb::kw_only(), "heads"_a, "content_multiplier"_a,
        "content_shift"_a, "position_multiplier"_a, "position_shift"_a, "result_multiplier"_a,
        "result_shift"_a, "low"_a, "high"_a,
        "Returns y (T, d): operator IntRelativeAttention of docs/format.md, section 10.");
  m.def("int_unfold2d", int_unfold2d, strict("x"), "length"_a, nb::kw_only(), "channels"_a, "zero"_a,
        "Returns the patches (T'' F'', 9C), their valid rows and frames: operator IntUnfold2d of "
        "docs/format.md, section 10.");
  m.def("distance_rows", distance_rows, strict("table"), "length"_a,
        "Returns the rows (2T - 1, d) of an utterance and how many: operator DistanceRows of docs/format.md, "
        "section 10.");
}
