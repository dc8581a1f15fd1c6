// What generated units define classes and functions with.
#pragma once

#include <concepts>

#include "glia/nn/module.h"
#include "python/bindings/bindings.h"

namespace glia::python {

// A class that declare_classes() has made.
template <class T, class... Base>
nb::class_<T, Base...> declared() {
  return nb::borrow<nb::class_<T, Base...>>(nb::type<T>());
}

// A member that is read and, if it may change, written. Layers and parameters are the places
// themselves; a parameter that is given another one shares its place from then on.
template <class C, class D>
void field(C& c, const char* name, D C::Type::*member, const char* doc) {
  using T = typename C::Type;
  const auto get = [member](T& self) -> D& { return self.*member; };
  if constexpr (std::same_as<D, Parameter> || std::same_as<D, Buffer>) {
    c.def_prop_rw(
        name,
        [member](T& self) -> D* { return (self.*member).defined() ? &(self.*member) : nullptr; },
        [member](T& self, nb::object value) {
          if (nb::isinstance<Variable>(value)) {
            static_cast<Variable&>(self.*member) = nb::cast<const Variable&>(value).alias();
          } else {
            self.*member = nb::cast<Tensor>(value);
          }
        },
        doc);
  } else if constexpr (std::is_copy_assignable_v<D> && !std::is_const_v<D> &&
                       !std::derived_from<D, nn::Module>) {
    c.def_prop_rw(
        name, get, [member](T& self, D value) { self.*member = std::move(value); },
        nb::for_getter(nb::rv_policy::reference_internal), doc);
  } else {
    c.def_prop_ro(
        name, [member](const T& self) -> const D& { return self.*member; }, doc);
  }
}

// A struct of named values: it unpacks, prints and pickles by its fields.
void plain(nb::handle type, const std::vector<const char*>& fields);

// Notes what a layer was made with, by which it is pickled.
struct Remember {
  static void precall(PyObject**, size_t, nb::detail::cleanup_list*) {}
  static void postcall(PyObject** arguments, size_t count, nb::handle);
};

// Copies of a layer are independent, as in C++.
template <class C>
void module_copies(C& c) {
  using T = typename C::Type;
  if constexpr (std::is_copy_constructible_v<T>) {
    c.def("__copy__", [](const T& self) { return T(self); });
    c.def(
        "__deepcopy__", [](const T& self, nb::handle) { return T(self); }, nb::arg("memo"));
  }
}

}  // namespace glia::python
