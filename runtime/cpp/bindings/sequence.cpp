#include "arrays.h"
#include "whit/elementwise.h"
#include "whit/layer_norm.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace whit::bindings;
using whit::FloatView;

namespace {

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

}  // namespace

void bind_sequence(nb::module_& m) {
  const auto strict = [](const char* name) { return nb::arg(name).noconvert(); };
  m.def("layer_norm", layer_norm, strict("x"), strict("gain"), strict("bias"), nb::kw_only(), "epsilon"_a,
        "Returns the rows of x (M, N) normalised: operator LayerNorm of docs/format.md, section 3.");
  m.def("add", add, strict("a"), strict("b"), nb::kw_only(), "scale"_a,
        "Returns a + scale * b (M, N): operator Add of docs/format.md, section 3.");
}
