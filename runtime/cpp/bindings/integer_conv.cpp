#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "arrays.h"
#include "choose_kernel.h"
#include "whit/aligned_buffer.h"
#include "whit/depthwise_kernel.h"
#include "whit/feature_quantization.h"
#include "whit/int_conv.h"
#include "whit/int_depthwise_conv.h"
#include "whit/packed_view.h"
#include "whit/requantize.h"
#include "whit/thread_pool.h"
#include "whit/valid_rows.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace whit::bindings;
using whit::FloatView;

namespace {

using Data = In<uint8_t, 1>;
using Codebook = std::optional<In<int8_t, 2>>;
using Ints = In<int32_t, 1>;
using Addend = std::optional<In<int16_t, 2>>;
using Kernel = std::optional<std::string>;
using Convolved = std::variant<std::tuple<Out<int8_t, 2>, int64_t>, std::tuple<Out<int16_t, 2>, int64_t>>;

whit::PackedMatrix view(const char* place, int64_t rows, int64_t cols, int64_t bits, const Data& data,
                        const Codebook& codebook) {
  return whit::view_packed_matrix(place, {
                                             .rows = rows,
                                             .cols = cols,
                                             .bits = bits,
                                             .layout = "E",
                                             .data = data.data(),
                                             .data_bytes = data.size(),
                                             .codebook = codebook ? codebook->data() : nullptr,
                                             .codebook_tiles = codebook ? codebook->shape(0) : 0,
                                             .codebook_width = codebook ? codebook->shape(1) : 0,
                                             .scale = nullptr,
                                             .scale_count = 0,
                                             .integer = true,
                                         });
}

std::vector<int32_t> to_vector(const Ints& values) { return {values.data(), values.data() + values.size()}; }

Out<int32_t, 1> requantize(const Ints& a, const Ints& multiplier, const Ints& shift) {
  const size_t count = a.size();
  const bool one = multiplier.size() == 1 && shift.size() == 1;
  if (!one && (multiplier.size() != count || shift.size() != count)) {
    whit::fail("requantize", whit::text("1 or ", count, " multipliers and shifts"),
               whit::text(multiplier.size(), " and ", shift.size()));
  }
  whit::check_requantization("requantize", to_vector(multiplier), to_vector(shift), true);
  Buffer<int32_t> y(count);
  if (one) {
    whit::requantize_all(a.data(), multiplier.data()[0], shift.data()[0], count, y.data());
  } else {
    whit::requantize_row(a.data(), multiplier.data(), shift.data(), count, y.data());
  }
  return y.release(count);
}

Out<int8_t, 2> quantize_features(const FloatMatrix& x, float inverse_scale, int64_t low, int64_t high) {
  const auto quantization = whit::checked_feature_quantization("quantize_features", inverse_scale, low, high);
  Buffer<int8_t> y(x.size());
  whit::quantize_features(quantization, FloatView(x.data()), x.size(), y.data());
  return y.release(x.shape(0), x.shape(1));
}

Out<float, 2> dequantize_logits(const In<int16_t, 2>& x, int32_t length, float scale) {
  Buffer<float> y(x.size());
  const size_t rows = whit::valid_rows(length, x.shape(0));
  whit::dequantize_logits(x.data(), scale, rows * x.shape(1), x.size(), y.data());
  return y.release(x.shape(0), x.shape(1));
}

const whit::DepthwiseKernel& find_depthwise_kernel(const std::string& name) {
  for (const whit::DepthwiseKernel* kernel : whit::depthwise_kernels()) {
    if (kernel->name == name) return *kernel;
  }
  whit::fail("int_depthwise_conv1d", "a kernel of depthwise_kernel_names()", name);
}

// Rows behind the result are zeros.
template <typename Output>
std::tuple<Out<Output, 2>, int64_t> convolve(const whit::IntConv& conv, const Kernel& kernel, const int8_t* x,
                                             int32_t length, const int16_t* addend,
                                             whit::ThreadPool* threads) {
  const size_t out_rows = conv.geometry.out_rows(conv.num_rows);
  Buffer<Output> y(out_rows * conv.w.rows);
  size_t rows;
  {
    nb::gil_scoped_release release;
    const whit::MatmulKernel& best = choose_kernel("int_conv1d", conv.w, kernel);
    const whit::AlignedBuffer scratch(whit::int_conv_scratch_bytes(best, conv));
    rows = whit::int_conv(best, conv, x, length, addend, y.data(), scratch.data(), threads);
    std::fill(y.data() + rows * conv.w.rows, y.data() + out_rows * conv.w.rows, Output{0});
  }
  return {y.release(out_rows, conv.w.rows), int64_t(rows)};
}

Convolved int_conv1d(const In<int8_t, 2>& x, int32_t length, const Data& data, const Codebook& codebook,
                     const Ints& bias, const Ints& multiplier, const Ints& shift, const Addend& addend,
                     int64_t rows, int64_t cols, int64_t bits, int64_t kernel_size, int64_t stride,
                     int64_t dilation, int64_t padding, int64_t x_zero, int32_t y_zero, int32_t low,
                     int32_t high, int32_t y_bits, const Kernel& kernel, whit::ThreadPool* threads) {
  const char* place = "int_conv1d";
  const whit::IntConv conv = whit::checked_int_conv(
      place, view(place, rows, cols, bits, data, codebook),
      {.kernel_size = kernel_size, .stride = stride, .dilation = dilation, .padding = padding},
      int64_t(x.shape(0)), int64_t(x.shape(1)), x_zero,
      {.bias = to_vector(bias),
       .multiplier = to_vector(multiplier),
       .shift = to_vector(shift),
       .zero = y_zero,
       .low = low,
       .high = high,
       .bits = y_bits});
  const size_t out_rows = conv.geometry.out_rows(conv.num_rows);
  if (addend && (addend->shape(0) != out_rows || addend->shape(1) != conv.w.rows)) {
    whit::fail(place, whit::text("addend of shape (", out_rows, ", ", rows, ")"),
               whit::text("(", addend->shape(0), ", ", addend->shape(1), ")"));
  }
  const int16_t* more = addend ? addend->data() : nullptr;
  if (y_bits == 8) return convolve<int8_t>(conv, kernel, x.data(), length, more, threads);
  return convolve<int16_t>(conv, kernel, x.data(), length, more, threads);
}

std::tuple<Out<int8_t, 2>, int64_t> int_depthwise_conv1d(
    const In<int8_t, 2>& x, int32_t length, const Data& data, const Codebook& codebook, const Ints& bias,
    const Ints& multiplier, const Ints& shift, int64_t rows, int64_t cols, int64_t bits, int64_t stride,
    int64_t dilation, int64_t padding, int64_t x_zero, int32_t y_zero, int32_t low, int32_t high,
    const Kernel& kernel, whit::ThreadPool* threads) {
  const char* place = "int_depthwise_conv1d";
  const whit::IntDepthwiseConv conv = whit::checked_int_depthwise_conv(
      place, view(place, rows, cols, bits, data, codebook),
      {.kernel_size = cols, .stride = stride, .dilation = dilation, .padding = padding}, int64_t(x.shape(0)),
      int64_t(x.shape(1)), x_zero,
      {.bias = to_vector(bias),
       .multiplier = to_vector(multiplier),
       .shift = to_vector(shift),
       .zero = y_zero,
       .low = low,
       .high = high});
  const size_t out_rows = conv.geometry.out_rows(conv.num_rows);
  Buffer<int8_t> y(out_rows * conv.w.rows);
  size_t computed;
  {
    nb::gil_scoped_release release;
    const auto& best = kernel ? find_depthwise_kernel(*kernel) : whit::select_depthwise_kernel();
    computed = whit::int_depthwise_conv(best, conv, x.data(), length, y.data(), threads);
    std::fill(y.data() + computed * conv.w.rows, y.data() + out_rows * conv.w.rows, int8_t{0});
  }
  return {y.release(out_rows, conv.w.rows), int64_t(computed)};
}

std::vector<std::string> depthwise_kernel_names() {
  std::vector<std::string> names;
  for (const whit::DepthwiseKernel* kernel : whit::depthwise_kernels()) names.emplace_back(kernel->name);
  return names;
}

}  // namespace

void bind_integer_conv(nb::module_& m) {
  const auto strict = [](const char* name) { return nb::arg(name).noconvert(); };
  const auto optional = [](const char* name) { return nb::arg(name).noconvert().none(); };
  m.def("requantize", requantize, strict("a"), strict("multiplier"), strict("shift"),
        "Returns a (N,) times multiplier 2^-shift, int32: \"requant\" of docs/format.md, section 10.\n\n"
        "multiplier and shift have one value, or one for each of a.");
  m.def("quantize_features", quantize_features, strict("x"), nb::kw_only(), "inverse_scale"_a, "low"_a,
        "high"_a, "Returns x (T, N) as int8: operator QuantizeFeatures of docs/format.md, section 10.");
  m.def("dequantize_logits", dequantize_logits, strict("x"), "length"_a, nb::kw_only(), "scale"_a,
        "Returns x (T, N) as float: operator DequantizeLogits of docs/format.md, section 10.");
  m.def("int_conv1d", int_conv1d, strict("x"), "length"_a, strict("data"), optional("codebook"),
        strict("bias"), strict("multiplier"), strict("shift"), optional("addend"), nb::kw_only(), "rows"_a,
        "cols"_a, "bits"_a, "kernel_size"_a, "stride"_a, "dilation"_a, "padding"_a, "x_zero"_a, "y_zero"_a,
        "low"_a, "high"_a, "y_bits"_a = 8, "kernel"_a = nb::none(), "threads"_a = nb::none(),
        "Returns y (T', rows), int8 or int16 by y_bits, and how many of its rows are the utterance's; the "
        "others are 0: operator IntConv1d of docs/format.md, section 10.\n\n"
        "`kernel` is one of matmul_kernel_names(), by default the best; all give the same bits, and so does "
        "any number of threads.\n"
        "Raises ValueError where sizes, shapes or values contradict the section.");
  m.def("int_depthwise_conv1d", int_depthwise_conv1d, strict("x"), "length"_a, strict("data"),
        optional("codebook"), strict("bias"), strict("multiplier"), strict("shift"), nb::kw_only(), "rows"_a,
        "cols"_a, "bits"_a, "stride"_a, "dilation"_a, "padding"_a, "x_zero"_a, "y_zero"_a, "low"_a, "high"_a,
        "kernel"_a = nb::none(), "threads"_a = nb::none(),
        "Returns y (T', rows) and its rows as int_conv1d: operator IntDepthwiseConv1d of docs/format.md, "
        "section 10.\n\n"
        "`kernel` is one of depthwise_kernel_names(), by default the best; all give the same bits.");
  m.def("depthwise_kernel_names", depthwise_kernel_names,
        "Returns the names of the depthwise kernels that this processor can run.");
}
