#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_frontend(nb::module_&) {}
