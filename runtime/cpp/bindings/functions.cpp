#include <cmath>
#include <vector>

#include "arrays.h"
#include "whit/exp.h"
#include "whit/log.h"
#include "whit/sigmoid.h"
#include "whit/tanh.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace whit::bindings;

namespace {

using AnyShape = InOfAnyRank<float>;

template <typename Function>
OutOfAnyRank<float> map(const AnyShape& x, Function function) {
  const size_t count = x.size();
  Buffer<float> values(count);
  const float* in = x.data();
  float* out = values.data();
  {
    nb::gil_scoped_release release;
    for (size_t i = 0; i < count; ++i) out[i] = function(in[i]);
  }
  std::vector<size_t> shape(x.ndim());
  for (size_t i = 0; i < shape.size(); ++i) shape[i] = x.shape(i);
  return values.release_as(shape);
}

}  // namespace

void bind_functions(nb::module_& m) {
  const auto x = "x"_a.noconvert();
  m.def(
      "exp", [](const AnyShape& a) { return map(a, [](float v) { return whit::exp(v); }); }, x,
      "Returns e^x of each value, clamped to [-87, 88] (docs/format.md, section 4).");
  m.def(
      "log", [](const AnyShape& a) { return map(a, [](float v) { return whit::log(v); }); }, x,
      "Returns the natural logarithm of each value; they must be positive and normal (docs/format.md, "
      "section 4).");
  m.def(
      "tanh", [](const AnyShape& a) { return map(a, [](float v) { return whit::tanh(v); }); }, x,
      "Returns the hyperbolic tangent of each value (docs/format.md, section 4).");
  m.def(
      "sigmoid", [](const AnyShape& a) { return map(a, [](float v) { return whit::sigmoid(v); }); }, x,
      "Returns 1 / (1 + e^-x) of each value (docs/format.md, section 4).");
  m.def(
      "sqrt", [](const AnyShape& a) { return map(a, [](float v) { return std::sqrt(v); }); }, x,
      "Returns the correctly rounded square root of each value (docs/format.md, section 4).");
}
