#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_functions(nb::module_&) {}
