// Samples and pipelines in Python.
#include "python/bindings/data.h"

#include "python/bindings/bindings.h"

namespace glia::python {

void bind_data(nb::module_&) {}

}  // namespace glia::python
