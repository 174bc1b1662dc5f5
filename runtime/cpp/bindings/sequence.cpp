#include <nanobind/stl/tuple.h>

#include <tuple>

#include "arrays.h"
#include "whit/aligned_buffer.h"
#include "whit/depthwise_conv.h"
#include "whit/elementwise.h"
#include "whit/layer_norm.h"
#include "whit/relative_attention.h"
#include "whit/unfold.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace whit::bindings;
using whit::FloatView;

namespace {

using TwoMatrices = std::tuple<Out<float, 2>, Out<float, 2>>;

void check_vector(const char* place, const char* name, const FloatVector& a, size_t count) {
  if (a.size() == count) return;
  whit::fail(place, whit::text(name, " of shape (", count, ",)"), whit::text("(", a.size(), ",)"));
}

Out<float, 2> layer_norm(const FloatMatrix& x, const FloatVector& gain, const FloatVector& bias,
                         float epsilon) {
  const size_t rows = x.shape(0), cols = x.shape(1);
  check_vector("layer_norm", "gain", gain, cols);
  check_vector("layer_norm", "bias", bias, cols);
  Buffer<float> y(rows * cols);
  {
    nb::gil_scoped_release release;
    whit::layer_norm(FloatView(x.data()), FloatView(gain.data()), FloatView(bias.data()), epsilon, rows, cols,
                     y.data());
  }
  return y.release(rows, cols);
}

Out<float, 2> add(const FloatMatrix& a, const FloatMatrix& b, float scale) {
  const size_t rows = a.shape(0), cols = a.shape(1);
  check_shape("add", "b", b, rows, cols);
  Buffer<float> y(rows * cols);
  {
    nb::gil_scoped_release release;
    whit::add(FloatView(a.data()), FloatView(b.data()), scale, rows * cols, y.data());
  }
  return y.release(rows, cols);
}

Out<float, 2> swish(const FloatMatrix& x) {
  const size_t rows = x.shape(0), cols = x.shape(1);
  Buffer<float> y(rows * cols);
  {
    nb::gil_scoped_release release;
    whit::swish(FloatView(x.data()), rows * cols, y.data());
  }
  return y.release(rows, cols);
}

Out<float, 2> glu(const FloatMatrix& x) {
  const size_t rows = x.shape(0), cols = x.shape(1) / 2;
  check_shape("glu", "x", x, rows, 2 * cols);
  Buffer<float> y(rows * cols);
  {
    nb::gil_scoped_release release;
    whit::glu(FloatView(x.data()), rows, cols, y.data());
  }
  return y.release(rows, cols);
}

TwoMatrices depthwise_conv(const FloatMatrix& x, const FloatMatrix& cache, const FloatMatrix& weight,
                           const FloatVector& bias) {
  const whit::DepthwiseConvShape shape{
      .num_frames = x.shape(0), .kernel_size = weight.shape(0), .channels = x.shape(1)};
  if (shape.kernel_size == 0) whit::fail("depthwise_conv", "at least one row of weight", "none");
  check_shape("depthwise_conv", "weight", weight, shape.kernel_size, shape.channels);
  check_shape("depthwise_conv", "cache", cache, shape.kernel_size - 1, shape.channels);
  check_vector("depthwise_conv", "bias", bias, shape.channels);
  Buffer<float> y(x.size()), cache_next(cache.size());
  {
    nb::gil_scoped_release release;
    const whit::AlignedBuffer scratch(whit::depthwise_conv_scratch_bytes(shape));
    whit::depthwise_conv(shape, FloatView(x.data()), FloatView(cache.data()), FloatView(weight.data()),
                         FloatView(bias.data()), y.data(), cache_next.data(), scratch.data());
  }
  return {y.release(x.shape(0), x.shape(1)), cache_next.release(cache.shape(0), cache.shape(1))};
}

TwoMatrices relative_attention(const FloatMatrix& q, const FloatMatrix& k, const FloatMatrix& v,
                               const FloatMatrix& cache, const FloatMatrix& p, const FloatVector& u,
                               const FloatVector& w, int64_t heads) {
  const char* place = "relative_attention";
  const size_t frames = q.shape(0), width = q.shape(1);
  const whit::AttentionShape shape =
      whit::checked_attention_shape(place, int64_t(frames), int64_t(cache.shape(0)), int64_t(width),
                                    int64_t(cache.shape(1)), int64_t(p.shape(0)), heads);
  check_shape(place, "k", k, frames, width);
  check_shape(place, "v", v, frames, width);
  check_shape(place, "p", p, p.shape(0), width);
  check_vector(place, "u", u, width);
  check_vector(place, "w", w, width);
  Buffer<float> y(q.size()), cache_next(cache.size());
  {
    nb::gil_scoped_release release;
    const whit::AlignedBuffer scratch(whit::relative_attention_scratch_bytes(shape));
    whit::relative_attention(shape,
                             {.q = FloatView(q.data()),
                              .k = FloatView(k.data()),
                              .v = FloatView(v.data()),
                              .cache = FloatView(cache.data()),
                              .positions = FloatView(p.data()),
                              .content_bias = FloatView(u.data()),
                              .position_bias = FloatView(w.data())},
                             y.data(), cache_next.data(), scratch.data());
  }
  return {y.release(frames, width), cache_next.release(cache.shape(0), cache.shape(1))};
}

TwoMatrices unfold2d(const FloatMatrix& x, const FloatMatrix& cache, int64_t channels) {
  const whit::UnfoldShape shape =
      whit::checked_unfold_shape("unfold2d", int64_t(x.shape(0)), int64_t(x.shape(1)), channels);
  check_shape("unfold2d", "cache", cache, 2, shape.width());
  Buffer<float> y(shape.num_patches() * shape.patch_size()), cache_next(cache.size());
  {
    nb::gil_scoped_release release;
    whit::unfold2d(shape, FloatView(x.data()), FloatView(cache.data()), y.data(), cache_next.data());
  }
  return {y.release(shape.num_patches(), shape.patch_size()), cache_next.release(2, shape.width())};
}

}  // namespace

void bind_sequence(nb::module_& m) {
  const auto strict = [](const char* name) { return nb::arg(name).noconvert(); };
  m.def("layer_norm", layer_norm, strict("x"), strict("gain"), strict("bias"), nb::kw_only(), "epsilon"_a,
        "Returns the rows of x (M, N) normalised: operator LayerNorm of docs/format.md, section 3.");
  m.def("add", add, strict("a"), strict("b"), nb::kw_only(), "scale"_a,
        "Returns a + scale * b (M, N): operator Add of docs/format.md, section 3.");
  m.def("swish", swish, strict("x"),
        "Returns x * sigmoid(x) (M, N): operator Swish of docs/format.md, section 3.");
  m.def("glu", glu, strict("x"), "Returns (M, N) of x (M, 2N): operator Glu of docs/format.md, section 3.");
  m.def(
      "depthwise_conv", depthwise_conv, strict("x"), strict("cache"), strict("weight"), strict("bias"),
      "Returns y (T, C) and the next cache (k-1, C): operator DepthwiseConv1d of docs/format.md, section 3.");
  m.def("relative_attention", relative_attention, strict("q"), strict("k"), strict("v"), strict("cache"),
        strict("p"), strict("u"), strict("w"), nb::kw_only(), "heads"_a,
        "Returns y (T, d) and the next cache (left, 2d + 1): operator RelativeAttention of docs/format.md, "
        "section 3.");
  m.def("unfold2d", unfold2d, strict("x"), strict("cache"), nb::kw_only(), "channels"_a,
        "Returns the patches (T/2 * F', 9C) and the next cache (2, FC): operator Unfold2d of docs/format.md, "
        "section 3.");
}
