// C++ exceptions as Python exceptions that name the line of Python.
#include "glia/error.h"

#include "glia/recipes/recipe.h"
#include "python/bindings/bindings.h"

// Behind Python.h.
#include <frameobject.h>

namespace glia::python {
namespace {

PyObject *error, *shape_error, *value_error, *io_error, *interrupted;
std::string folder;  // of the package, whose own lines are no user's

PyObject* new_error(nb::module_& m, const char* name, const char* doc, nb::object bases) {
  const std::string full = std::string("glia.") + name;
  PyObject* made = PyErr_NewExceptionWithDoc(full.c_str(), doc, bases.ptr(), nullptr);
  if (!made) throw nb::python_error();
  m.attr(name) = nb::borrow(made);
  return made;
}

void raise(PyObject* type, const char* what) {
  PyErr_SetString(type, (what + python_line()).c_str());
}

void translate(const std::exception_ptr& thrown, void*) {
  try {
    std::rethrow_exception(thrown);
  } catch (const ShapeError& e) {
    raise(shape_error, e.what());
  } catch (const ValueError& e) {
    raise(value_error, e.what());
  } catch (const IoError& e) {
    raise(io_error, e.what());
  } catch (const Error& e) {
    raise(error, e.what());
  } catch (const recipes::Interrupted& e) {
    PyErr_SetString(interrupted, e.what());
  }
}

}  // namespace

std::string python_line() {
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);
  std::string line;
  nb::object frame = nb::borrow(reinterpret_cast<PyObject*>(PyEval_GetFrame()));
  while (frame.is_valid() && line.empty()) {
    auto* at = reinterpret_cast<PyFrameObject*>(frame.ptr());
    nb::object code = nb::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(at)));
    const std::string file = nb::cast<std::string>(code.attr("co_filename"));
    if (folder.empty() || file.compare(0, folder.size(), folder) != 0)
      line = " at " + file.substr(file.find_last_of('/') + 1) + ":" +
             std::to_string(PyFrame_GetLineNumber(at));
    else
      frame = nb::steal(reinterpret_cast<PyObject*>(PyFrame_GetBack(at)));
  }
  PyErr_Restore(type, value, trace);
  return line;
}

void set_error() noexcept {
  try {
    try {
      throw;
    } catch (nb::python_error& e) {
      e.restore();
    } catch (const nb::builtin_exception& e) {
      PyErr_SetString(e.type() == nb::exception_type::index_error   ? PyExc_IndexError
                      : e.type() == nb::exception_type::value_error ? PyExc_ValueError
                                                                    : PyExc_TypeError,
                      e.what());
    } catch (const std::bad_alloc&) {
      PyErr_NoMemory();
    } catch (...) {
      translate(std::current_exception(), nullptr);
    }
  } catch (const std::exception& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  }
}

void bind_errors(nb::module_& m) {
  const auto with = [](PyObject* first, PyObject* second) {
    return nb::make_tuple(nb::borrow(first), nb::borrow(second));
  };
  error = new_error(m, "Error", "Anything that the library refuses; names the line of Python.",
                    nb::borrow(PyExc_RuntimeError));
  shape_error = new_error(m, "ShapeError", "Shapes, dtypes or arguments that do not fit.",
                          with(error, PyExc_ValueError));
  value_error =
      new_error(m, "ValueError", "A value that cannot be used.", with(error, PyExc_ValueError));
  io_error = new_error(m, "IoError", "A file that is missing, damaged or cannot be written.",
                       with(error, PyExc_OSError));
  interrupted = new_error(m, "Interrupted", "A run was to stop; says what was saved.",
                          nb::borrow(PyExc_KeyboardInterrupt));
  nb::register_exception_translator(translate);
  m.def("_set_folder", [](std::string path) { folder = std::move(path); });
}

}  // namespace glia::python
