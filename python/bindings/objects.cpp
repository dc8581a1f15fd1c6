// What the casters do that needs no template.
#include <climits>
#include <cstring>

#include "python/bindings/bind.h"
#include "python/bindings/casters.h"

namespace glia::python {

PyTypeObject* tensor_type = nullptr;
static PyTypeObject* variable_type = nullptr;

void note_types(nb::handle tensor, nb::handle variable) {
  tensor_type = reinterpret_cast<PyTypeObject*>(tensor.ptr());
  variable_type = reinterpret_cast<PyTypeObject*>(variable.ptr());
}

PyObject* wrap(Tensor&& tensor) noexcept {
  if (!tensor.defined()) Py_RETURN_NONE;
  nb::object made = nb::inst_alloc(reinterpret_cast<PyObject*>(tensor_type));
  new (nb::inst_ptr<Tensor>(made)) Tensor(std::move(tensor));
  nb::inst_mark_ready(made);
  return made.release().ptr();
}

bool load_tensor(PyObject* from, bool convert, const Tensor** place, Tensor* held) noexcept {
  if (Py_TYPE(from) == tensor_type || PyObject_TypeCheck(from, tensor_type)) {
    *place = nb::inst_ptr<Tensor>(from);
    return true;
  }
  *place = nullptr;
  try {
    if (PyObject_TypeCheck(from, variable_type)) {
      const auto* variable = nb::inst_ptr<Variable>(from);
      *held = variable->defined() ? variable->tensor(Where()) : Tensor();
      return true;
    }
    if (from == Py_None) {
      *held = Tensor();
      return true;
    }
    return convert && load_array(from, held);
  } catch (nb::python_error& e) {
    return false;
  } catch (...) {
    return false;
  }
}

bool load_number(PyObject* from, bool convert, Number* number) noexcept {
  if (PyFloat_CheckExact(from)) {
    *number = PyFloat_AS_DOUBLE(from);
    return true;
  }
  if (PyBool_Check(from)) {
    *number = from == Py_True;
    return true;
  }
  if (PyLong_Check(from)) {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(from, &overflow);
    if (overflow == 0) {
      *number = static_cast<int64_t>(value);
      return true;
    }
    const unsigned long long large = overflow > 0 ? PyLong_AsUnsignedLongLong(from) : 0;
    if (overflow > 0 && !PyErr_Occurred()) {
      *number = static_cast<uint64_t>(large);
      return true;
    }
    PyErr_Clear();
    const double real = PyLong_AsDouble(from);
    *number = real;
    if (PyErr_Occurred()) {
      PyErr_Clear();
      return false;
    }
    return true;
  }
  if (PyFloat_Check(from)) {
    *number = PyFloat_AsDouble(from);
    return true;
  }
  if (!convert) return false;
  static PyObject* const kDType = PyUnicode_InternFromString("dtype");
  static PyObject* const kRank = PyUnicode_InternFromString("ndim");
  // NumPy's scalars: they have a dtype and no axes.
  if (!PyObject_HasAttr(from, kDType)) return false;
  nb::object rank = nb::steal(PyObject_GetAttr(from, kRank));
  if (!rank.is_valid() || !PyLong_Check(rank.ptr()) || PyLong_AsLong(rank.ptr()) != 0 ||
      PyObject_TypeCheck(from, tensor_type) || PyObject_TypeCheck(from, variable_type)) {
    PyErr_Clear();
    return false;
  }
  if (PyIndex_Check(from)) {
    nb::object whole = nb::steal(PyNumber_Index(from));
    if (whole.is_valid()) return load_number(whole.ptr(), false, number);
    PyErr_Clear();
  }
  nb::object item = nb::steal(PyObject_CallMethod(from, "item", nullptr));
  if (item.is_valid()) return load_number(item.ptr(), false, number);
  PyErr_Clear();
  return false;
}

bool load_sizes(PyObject* from, bool single, std::vector<int64_t>* sizes) noexcept {
  sizes->clear();
  const auto add = [sizes](PyObject* item) {
    if (!PyIndex_Check(item) || PyObject_TypeCheck(item, tensor_type)) return false;
    nb::object whole = nb::steal(PyNumber_Index(item));
    if (!whole.is_valid()) {
      PyErr_Clear();
      return false;
    }
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(whole.ptr(), &overflow);
    sizes->push_back(overflow > 0 ? INT64_MAX : overflow < 0 ? INT64_MIN : value);
    return true;
  };
  if (PyTuple_CheckExact(from)) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(from); ++i)
      if (!add(PyTuple_GET_ITEM(from, i))) return false;
    return true;
  }
  if (PyIndex_Check(from) && !PyObject_TypeCheck(from, tensor_type)) return single && add(from);
  if (PyUnicode_Check(from) || PyBytes_Check(from) || PyObject_TypeCheck(from, tensor_type) ||
      !PySequence_Check(from))
    return false;
  nb::object items = nb::steal(PySequence_Tuple(from));
  if (!items.is_valid()) {
    PyErr_Clear();
    return false;
  }
  return load_sizes(items.ptr(), false, sizes);
}

static bool load_index(PyObject* from, std::vector<Index>* at) {
  if (PyLong_CheckExact(from)) {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(from, &overflow);
    at->emplace_back(overflow ? INT64_MAX : static_cast<int64_t>(value));
    return true;
  }
  if (from == Py_Ellipsis) {
    at->emplace_back(Ellipsis);
    return true;
  }
  if (from == Py_None) {
    at->emplace_back(NewAxis);
    return true;
  }
  if (PySlice_Check(from)) {
    const auto* slice = reinterpret_cast<PySliceObject*>(from);
    const auto end = [](PyObject* value, int64_t* out) {
      if (value == Py_None) return;
      nb::object whole = nb::steal(PyNumber_Index(value));
      if (!whole.is_valid()) throw nb::python_error();
      int overflow = 0;
      const long long given = PyLong_AsLongLongAndOverflow(whole.ptr(), &overflow);
      *out = overflow > 0 ? INT64_MAX : overflow < 0 ? INT64_MIN + 1 : given;
      if (*out == Slice::kNone) *out = INT64_MIN + 1;
    };
    Slice made;
    end(slice->start, &made.start);
    end(slice->stop, &made.stop);
    end(slice->step, &made.step);
    at->emplace_back(made);
    return true;
  }
  if (PyBool_Check(from)) {
    at->emplace_back(tensor(from == Py_True));
    return true;
  }
  const Tensor* place = nullptr;
  Tensor held;
  if (PyObject_TypeCheck(from, tensor_type) || PyObject_TypeCheck(from, variable_type)) {
    if (!load_tensor(from, false, &place, &held)) return false;
    at->emplace_back(place ? *place : held);
    return true;
  }
  if (PyIndex_Check(from)) {
    nb::object whole = nb::steal(PyNumber_Index(from));
    if (whole.is_valid()) return load_index(whole.ptr(), at);
    PyErr_Clear();
  }
  at->emplace_back(as_tensor(nb::borrow(from), std::nullopt, true));
  return true;
}

bool load_indices(PyObject* from, std::vector<Index>* at) {
  at->clear();
  if (!PyTuple_Check(from)) return load_index(from, at);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(from); ++i)
    if (!load_index(PyTuple_GET_ITEM(from, i), at)) return false;
  return true;
}

// Whether nobody but this call's arguments refers to it.
static bool is_temporary(PyObject* object) {
#if PY_VERSION_HEX >= 0x030E0000
  return PyUnstable_Object_IsUniqueReferencedTemporary(object);
#else
  return Py_REFCNT(object) == 1;
#endif
}

void take_over(PyObject* list, std::vector<Tensor>* tensors) noexcept {
  if (!list || !PyList_CheckExact(list) || !is_temporary(list)) return;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    PyObject* item = PyList_GET_ITEM(list, i);
    if (Py_TYPE(item) == tensor_type && Py_REFCNT(item) == 1)
      *nb::inst_ptr<Tensor>(item) = Tensor();
  }
  (void)tensors;
}

bool load_variables(PyObject* from, bool convert, ParameterList* list) {
  // Iterators can be gone through once only: at the last try.
  const bool repeats = PyList_Check(from) || PyTuple_Check(from);
  if (!repeats && (!convert || from == Py_None || PyUnicode_Check(from))) return false;
  *list = ParameterList();
  nb::object items = nb::steal(PySequence_Tuple(from));
  if (!items.is_valid()) {
    PyErr_Clear();
    return false;
  }
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items.ptr()); ++i) {
    PyObject* item = PyTuple_GET_ITEM(items.ptr(), i);
    if (!PyObject_TypeCheck(item, variable_type)) return false;
    list->push_back(*nb::inst_ptr<Variable>(item));
  }
  return true;
}

TensorFunction call_with(nb::object f) {
  return [held = nb::detail::shared(f)](const std::vector<Tensor>& inputs) {
    nb::gil_scoped_acquire locked;
    nb::object arguments = nb::steal(PyTuple_New(static_cast<Py_ssize_t>(inputs.size())));
    if (!arguments.is_valid()) throw nb::python_error();
    for (size_t i = 0; i < inputs.size(); ++i)
      PyTuple_SET_ITEM(arguments.ptr(), static_cast<Py_ssize_t>(i), wrap(Tensor(inputs[i])));
    nb::object out = nb::steal(PyObject_CallObject(held.get(), arguments.ptr()));
    if (!out.is_valid()) throw nb::python_error();
    const Tensor* place = nullptr;
    Tensor value;
    if (out.is_none() || !load_tensor(out.ptr(), false, &place, &value))
      throw nb::type_error("a function of tensors must return one Tensor");
    return place ? *place : value;
  };
}

nb::object callable(TensorFunction f) {
  return nb::cpp_function([f = std::move(f)](nb::args arguments) {
    std::vector<Tensor> inputs = nb::cast<std::vector<Tensor>>(arguments);
    Unlocked free;
    return f(inputs);
  });
}

bool load_enum(PyObject* from, const EnumNames& names, int64_t* value) noexcept {
  if (!PyUnicode_Check(from)) return false;
  const char* text = PyUnicode_AsUTF8(from);
  for (size_t i = 0; text && i < names.count; ++i) {
    if (std::strcmp(text, names.names[i]) == 0) {
      *value = names.values[i];
      return true;
    }
  }
  PyErr_Clear();
  return false;
}

PyObject* enum_name(int64_t value, const EnumNames& names) noexcept {
  for (size_t i = 0; i < names.count; ++i)
    if (names.values[i] == value) return PyUnicode_InternFromString(names.names[i]);
  return PyLong_FromLongLong(value);
}

void Remember::postcall(PyObject** arguments, size_t count, nb::handle) {
  nb::list made_with;
  for (size_t i = 1; i < count; ++i) made_with.append(nb::handle(arguments[i]));
  nb::setattr(nb::handle(arguments[0]), "_made_with", nb::tuple(made_with));
}

void plain(nb::handle type, const std::vector<const char*>& fields) {
  nb::object names = nb::steal(PyTuple_New(static_cast<Py_ssize_t>(fields.size())));
  for (size_t i = 0; i < fields.size(); ++i)
    PyTuple_SET_ITEM(names.ptr(), static_cast<Py_ssize_t>(i),
                     PyUnicode_InternFromString(fields[i]));
  nb::setattr(type, "__match_args__", names);
  // One function each, for all such classes; never destroyed, as the interpreter is gone by then.
  static const nb::object& values = *new nb::object(nb::cpp_function([](nb::handle self) {
    nb::list all;
    for (nb::handle name : nb::tuple(self.type().attr("__match_args__")))
      all.append(self.attr(name));
    return nb::tuple(all);
  }));
  const auto method = [&](const char* name, nb::object f) {
    nb::setattr(type, name, nb::steal(PyInstanceMethod_New(f.ptr())));
  };
  static const nb::object& iterate =
      *new nb::object(nb::cpp_function([](nb::handle self) { return nb::iter(values(self)); }));
  static const nb::object& reduce = *new nb::object(
      nb::cpp_function([](nb::handle self) { return nb::make_tuple(self.type(), values(self)); }));
  static const nb::object& print = *new nb::object(nb::cpp_function([](nb::handle self) {
    std::string out = nb::cast<std::string>(self.type().attr("__name__")) + "(";
    bool first = true;
    for (nb::handle name : nb::tuple(self.type().attr("__match_args__"))) {
      out += (first ? "" : ", ") + nb::cast<std::string>(name) + "=" +
             nb::cast<std::string>(nb::repr(self.attr(name)));
      first = false;
    }
    return out + ")";
  }));
  method("__iter__", iterate);
  method("__reduce__", reduce);
  method("__repr__", print);
}

}  // namespace glia::python
