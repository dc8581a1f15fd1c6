// The module glia._glia, whose contents are those of glia.
#include "glia/runtime.h"
#include "python/bindings/bindings.h"

namespace glia::python {

nb::module_ module_of(nb::module_& root, const char* space) {
  nb::module_ at = root;
  std::string_view rest = space;
  rest.remove_prefix(std::string_view("glia").size());
  while (!rest.empty()) {
    rest.remove_prefix(2);  // "::"
    const std::string name(rest.substr(0, rest.find(':')));
    rest.remove_prefix(name.size());
    nb::object inner = nb::getattr(at, name.c_str(), nb::none());
    at = PyModule_Check(inner.ptr()) ? nb::borrow<nb::module_>(inner)
                                     : at.def_submodule(name.c_str());
  }
  return at;
}

}  // namespace glia::python

NB_MODULE(_glia, m) {
  using namespace glia::python;
  m.attr("__name__") = "glia";
  nb::set_leak_warnings(false);
  bind_errors(m);
  bind_tensors(m);
  bind_modules(m);
  bind_data(m);
  declare_classes(m);
  define_all(m);
  finish_data(m);
  m.attr("__version__") = std::string(glia::version()).substr(std::string("Glia ").size());
}
