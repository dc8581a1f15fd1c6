// What the units of the extension call of each other.
#pragma once

#include <optional>

#include "python/bindings/casters.h"

namespace glia::python {

void bind_errors(nb::module_& m);
// Tensor, Variable, Parameter, Buffer, DType, and what makes and reads tensors.
void bind_tensors(nb::module_& m);
// nn.Module, for layers of C++ and those written in Python.
void bind_modules(nb::module_& m);
void bind_data(nb::module_& m);
void finish_data(nb::module_& m);  // what needs generated classes
// Generated from the schema: classes first, then what uses them. Names of functions of a tensor
// become its methods.
void declare_classes(nb::module_& m);
void define_all(nb::module_& m);
void add_methods(nb::module_& m, const char* const* names, size_t count);

void note_types(nb::handle tensor, nb::handle variable);
// Of arrays that share their memory by DLPack or the buffer protocol; false if it is none.
bool load_array(PyObject* from, Tensor* tensor);
bool is_numpy(nb::handle from);
Tensor any_array(nb::object from);
// A tensor's memory, which is computed; and arrays over it that cannot be written to.
const void* bytes_of(const Tensor& x);
nb::object numpy_array(const Tensor& x);
nb::object dlpack_of(const Tensor& x, const nb::kwargs& options);
// Of anything: numbers, nested lists, arrays. `copy` makes memory of its own.
Tensor as_tensor(nb::object from, std::optional<DType> dtype, bool copy);
// Makes a Python exception of the C++ one that is being handled.
void set_error() noexcept;

// A submodule by its C++ namespace: "glia::nn::init" -> glia.nn.init.
nb::module_ module_of(nb::module_& root, const char* space);

}  // namespace glia::python
