#include "whit/conv_geometry.h"

#include "whit/fail.h"

namespace whit {

ConvGeometry checked_conv_geometry(std::string_view place, const ConvAttributes& a, int64_t num_rows) {
  const auto check = [&](const char* name, int64_t value, int64_t low) {
    if (value < low || value > kMaxConvSpan) {
      fail(place, text(name, " in [", low, ", ", kMaxConvSpan, "]"), text(value));
    }
  };
  check("kernel_size", a.kernel_size, 1);
  check("stride", a.stride, 1);
  check("dilation", a.dilation, 1);
  check("padding", a.padding, 0);
  check("dilation * (kernel_size - 1)", a.dilation * (a.kernel_size - 1), 0);
  const ConvGeometry geometry{.kernel_size = size_t(a.kernel_size),
                              .stride = size_t(a.stride),
                              .dilation = size_t(a.dilation),
                              .padding = size_t(a.padding)};
  if (num_rows < 1 || geometry.out_rows(size_t(num_rows)) == 0) {
    fail(place, "rows for at least one output", text(num_rows));
  }
  return geometry;
}

}  // namespace whit
