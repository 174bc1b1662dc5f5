#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_kernels(nb::module_& m);
void bind_sequence(nb::module_& m);
void bind_integer_conv(nb::module_& m);
void bind_int_sequence(nb::module_& m);
void bind_functions(nb::module_& m);
void bind_frontend(nb::module_& m);
void bind_search(nb::module_& m);
void bind_native(nb::module_& m);
void bind_offline(nb::module_& m);

NB_MODULE(_core, m) {
  m.doc() = "The C++ core of whit: packed kernels, front-end, transducer search, native engine.";
  bind_functions(m);
  bind_kernels(m);
  bind_sequence(m);
  bind_integer_conv(m);
  bind_int_sequence(m);
  bind_frontend(m);
  bind_search(m);
  bind_native(m);
  bind_offline(m);
}
