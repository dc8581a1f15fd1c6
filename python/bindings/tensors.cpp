// Tensor and variables in Python: operators, indexing, arrays that share memory, printing,
// pickling.
#include "glia/ops.h"

#include <cstring>
#include <functional>

#include "glia/nn/module.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "python/bindings/bindings.h"

namespace glia::python {
namespace {

using namespace nb::literals;

// ---- DType ------------------------------------------------------------------------------------

constexpr DType kAll[] = {kBool, kU8, kI8, kI32, kI64, kF16, kBF16, kF32, kF64};
constexpr const char* kLong[] = {"bool",    "uint8",    "int8",    "int32",  "int64",
                                 "float16", "bfloat16", "float32", "float64"};
PyObject* dtypes[kDTypeCount];
PyTypeObject* dtype_type;

DType from_text(std::string_view text) {
  for (DType t : kAll)
    if (text == name(t) || text == kLong[static_cast<int>(t)]) return t;
  if (text == "float") return kF32;
  if (text == "double") return kF64;
  if (text == "int") return kI64;
  if (text == "half") return kF16;
  throw ValueError("DType: there is no '" + std::string(text) + "'");
}

void bind_dtype(nb::module_& m) {
  nb::class_<DType> c(m, "DType", "The type of a tensor's elements: glia.f32, glia.i64, ...");
  dtype_type = reinterpret_cast<PyTypeObject*>(c.ptr());
  for (DType t : kAll) {
    nb::object made = nb::inst_alloc(c);
    *nb::inst_ptr<DType>(made) = t;
    nb::inst_mark_ready(made);
    m.attr(t == kBool ? "bool_" : name(t)) = made;
    dtypes[static_cast<int>(t)] = made.release().ptr();
  }
  c.def_prop_ro("name", [](const DType& t) { return name(t); })
      .def_prop_ro("itemsize", [](const DType& t) { return size_of(t); })
      .def_prop_ro("is_float", [](const DType& t) { return is_float(t); })
      .def_prop_ro("is_integer", [](const DType& t) { return is_integer(t); })
      .def("__repr__",
           [](const DType& t) { return std::string("glia.") + (t == kBool ? "bool_" : name(t)); })
      .def("__str__", [](const DType& t) { return name(t); })
      .def("__hash__", [](const DType& t) { return static_cast<int64_t>(t); })
      .def(
          "__eq__",
          [](nb::handle self, nb::handle other) {
            DType a{}, b{};
            return load_dtype(self.ptr(), &a) && load_dtype(other.ptr(), &b) && a == b;
          },
          nb::arg("other").none())
      .def("__reduce__", [](const DType& t) {
        return nb::make_tuple(nb::module_::import_("glia").attr("_dtype"), nb::make_tuple(name(t)));
      });
  m.def("_dtype", [](const std::string& text) { return from_text(text); });
}

// ---- Values -----------------------------------------------------------------------------------

nb::object item(const Tensor& x) {
  Unlocked* free = new Unlocked;
  std::unique_ptr<Unlocked> held(free);
  if (is_float(x.dtype())) {
    const double value = x.item<double>({});
    held.reset();
    return nb::cast(value);
  }
  const bool is_bool = x.dtype() == kBool;
  const int64_t value = x.item<int64_t>({});
  held.reset();
  return is_bool ? nb::cast(value != 0) : nb::cast(value);
}

template <class T>
nb::object number_at(const void* data, int64_t i) {
  const T value = static_cast<const T*>(data)[i];
  if constexpr (std::is_same_v<T, bool> || std::is_integral_v<T>)
    return nb::cast(value);
  else
    return nb::cast(static_cast<double>(value));
}

nb::object list_of(const Tensor& x, const void* data, int axis, int64_t* at) {
  if (axis == x.rank()) {
    const int64_t i = (*at)++;
    switch (x.dtype()) {
      case kBool:
        return number_at<bool>(data, i);
      case kU8:
        return nb::cast(static_cast<int64_t>(static_cast<const uint8_t*>(data)[i]));
      case kI8:
        return nb::cast(static_cast<int64_t>(static_cast<const int8_t*>(data)[i]));
      case kI32:
        return number_at<int32_t>(data, i);
      case kI64:
        return number_at<int64_t>(data, i);
      case kF16:
        return nb::cast(static_cast<double>(float(static_cast<const float16*>(data)[i])));
      case kBF16:
        return nb::cast(static_cast<double>(float(static_cast<const bfloat16*>(data)[i])));
      case kF32:
        return number_at<float>(data, i);
      case kF64:
        return number_at<double>(data, i);
    }
  }
  nb::list rows;
  for (int64_t i = 0; i < x.size(axis); ++i) rows.append(list_of(x, data, axis + 1, at));
  return std::move(rows);
}

nb::object tolist(const Tensor& x) {
  const Tensor held = x;
  const void* data = bytes_of(held);
  int64_t at = 0;
  return list_of(held, data, 0, &at);
}

std::string text_of(const Tensor& x) {
  if (!x.defined()) return "undefined";
  Unlocked free;
  return x.str();
}

std::string repr_of(const char* kind, const Tensor& x) {
  std::string text = text_of(x), out = kind;
  const std::string indent(out.size() + 1, ' ');
  out += "(";
  for (char c : text) {
    out += c;
    if (c == '\n') out += indent;
  }
  if (x.defined() && x.numel() == 0) out += ", shape=" + x.shape().str();
  return out + (x.defined() ? std::string(", dtype=") + name(x.dtype()) + ")" : ")");
}

// ---- Operators --------------------------------------------------------------------------------

using Caster = nb::detail::type_caster<Operand>;
constexpr uint32_t kConvert = nb::detail::cast_flags::convert;

template <auto op>
PyObject* binary(PyObject* a, PyObject* b) noexcept {
  Caster left, right;
  if (!left.from_python(a, kConvert, nullptr) || !right.from_python(b, kConvert, nullptr))
    Py_RETURN_NOTIMPLEMENTED;
  try {
    Tensor out;
    {
      Unlocked free;
      out = op(left.operator Operand(), right.operator Operand());
    }
    return wrap(std::move(out));
  } catch (...) {
    set_error();
    return nullptr;
  }
}

template <auto op>
PyObject* unary(PyObject* x) noexcept {
  Caster value;
  if (!value.from_python(x, kConvert, nullptr)) Py_RETURN_NOTIMPLEMENTED;
  try {
    Tensor out;
    {
      Unlocked free;
      out = op(value.operator Operand());
    }
    return wrap(std::move(out));
  } catch (...) {
    set_error();
    return nullptr;
  }
}

template <auto op>
PyObject* power(PyObject* a, PyObject* b, PyObject* modulo) noexcept {
  if (modulo != Py_None) Py_RETURN_NOTIMPLEMENTED;
  return binary<op>(a, b);
}

// As in C++, a += b keeps a's shape and dtype; the name then stands for the new tensor.
template <auto op>
PyObject* in_place(PyObject* a, PyObject* b) noexcept {
  Caster right;
  const Tensor* place = nullptr;
  Tensor out;
  if (Py_TYPE(a) != tensor_type || !load_tensor(a, false, &place, &out) ||
      !right.from_python(b, kConvert, nullptr))
    Py_RETURN_NOTIMPLEMENTED;
  out = *place;
  try {
    {
      Unlocked free;
      op(out, right.operator Operand());
    }
    return wrap(std::move(out));
  } catch (...) {
    set_error();
    return nullptr;
  }
}

Tensor product(const Operand& a, const Operand& b) {
  if (a.is_scalar() || b.is_scalar()) throw ShapeError("matmul: a number is no matrix");
  return matmul(a.tensor(), b.tensor(), {});
}

PyObject* compare(PyObject* a, PyObject* b, int how) noexcept {
  switch (how) {
    case Py_LT:
      return binary<std::less<>{}>(a, b);
    case Py_LE:
      return binary<std::less_equal<>{}>(a, b);
    case Py_EQ:
      return binary<std::equal_to<>{}>(a, b);
    case Py_NE:
      return binary<std::not_equal_to<>{}>(a, b);
    case Py_GT:
      return binary<std::greater<>{}>(a, b);
    default:
      return binary<std::greater_equal<>{}>(a, b);
  }
}

PyObject* subscript(PyObject* self, PyObject* key) noexcept {
  try {
    const Tensor* place = nullptr;
    Tensor held;
    if (!load_tensor(self, false, &place, &held)) throw nb::type_error("no tensor");
    const Tensor& x = place ? *place : held;
    std::vector<Index> at;
    if (!load_indices(key, &at)) throw nb::type_error("no index");
    if (PyLong_CheckExact(key) && x.rank() > 0) {  // ends loops over sequences, too
      const int64_t i = at[0].integer(), size = x.size(0);
      if (i < -size || i >= size)
        throw nb::index_error(("index " + std::to_string(i) +
                               " is out of bounds for axis 0 with size " + std::to_string(size) +
                               python_line())
                                  .c_str());
    }
    Tensor out;
    {
      Unlocked free;
      out = index(x, at, {});
    }
    return wrap(std::move(out));
  } catch (...) {
    set_error();
    return nullptr;
  }
}

// By which loops go over the first axis.
PyObject* row(PyObject* self, Py_ssize_t i) noexcept {
  nb::object key = nb::steal(PyLong_FromSsize_t(i));
  return key.is_valid() ? subscript(self, key.ptr()) : nullptr;
}

int assign(PyObject* self, PyObject* key, PyObject* value) noexcept {
  try {
    if (!value) throw nb::type_error("elements of a tensor cannot be deleted");
    const Tensor* place = nullptr;
    Tensor held;
    if (!load_tensor(self, false, &place, &held)) throw nb::type_error("no tensor");
    Tensor x = place ? *place : held;
    std::vector<Index> at;
    if (!load_indices(key, &at)) throw nb::type_error("no index");
    const Tensor given =
        cast(Operand(as_tensor(nb::borrow(value), std::nullopt, true), {}), x.dtype());
    {
      Unlocked free;
      x = index_update(x, at, given, {});
    }
    if (place) {
      *nb::inst_ptr<Tensor>(self) = std::move(x);
    } else {
      nb::inst_ptr<Variable>(self)->set(std::move(x), {});
    }
    return 0;
  } catch (...) {
    set_error();
    return -1;
  }
}

Py_ssize_t length(PyObject* self) noexcept {
  try {
    const Tensor* place = nullptr;
    Tensor held;
    load_tensor(self, false, &place, &held);
    const Tensor& x = place ? *place : held;
    if (x.rank() == 0) throw nb::type_error("len() of a tensor of rank 0");
    return x.size(0);
  } catch (...) {
    set_error();
    return -1;
  }
}

int truth(PyObject* self) noexcept {
  try {
    const Tensor* place = nullptr;
    Tensor held;
    load_tensor(self, false, &place, &held);
    const Tensor& x = place ? *place : held;
    if (x.numel() != 1)
      throw ValueError("the truth of a tensor of shape " + x.shape().str() +
                       " is not one value: use any() or all()");
    Unlocked free;
    return x.item<bool>({});
  } catch (...) {
    set_error();
    return -1;
  }
}

template <class F>
constexpr PyType_Slot slot(int id, F* f) {
  return {id, reinterpret_cast<void*>(f)};
}

const std::vector<PyType_Slot>& slots() {
  static const std::vector<PyType_Slot> all = {
      slot(Py_nb_add, binary<std::plus<>{}>),
      slot(Py_nb_subtract, binary<std::minus<>{}>),
      slot(Py_nb_multiply, binary<std::multiplies<>{}>),
      slot(Py_nb_true_divide, binary<std::divides<>{}>),
      slot(Py_nb_floor_divide, binary<&floor_divide>),
      slot(Py_nb_remainder, binary<&remainder>),
      slot(Py_nb_power, power<&pow>),
      slot(Py_nb_matrix_multiply, binary<&product>),
      slot(Py_nb_and, binary<std::bit_and<>{}>),
      slot(Py_nb_or, binary<std::bit_or<>{}>),
      slot(Py_nb_xor, binary<std::bit_xor<>{}>),
      slot(Py_nb_negative, unary<std::negate<>{}>),
      slot(Py_nb_invert, unary<std::bit_not<>{}>),
      slot(Py_nb_absolute, unary<[](const Operand& x) { return abs(x); }>),
      slot(Py_nb_inplace_add, in_place<[](Tensor& a, const Operand& b) { a += b; }>),
      slot(Py_nb_inplace_subtract, in_place<[](Tensor& a, const Operand& b) { a -= b; }>),
      slot(Py_nb_inplace_multiply, in_place<[](Tensor& a, const Operand& b) { a *= b; }>),
      slot(Py_nb_inplace_true_divide, in_place<[](Tensor& a, const Operand& b) { a /= b; }>),
      slot(Py_nb_bool, truth),
      slot(Py_mp_subscript, subscript),
      slot(Py_mp_ass_subscript, assign),
      slot(Py_mp_length, length),
      slot(Py_sq_item, row),
      slot(Py_tp_richcompare, compare),
      slot(
          Py_tp_hash, +[](PyObject* self) -> Py_hash_t { return _Py_HashPointer(self); }),
      {0, nullptr}};
  return all;
}

// What a tensor and a variable have alike.
template <class C>
void define_common(C& c) {
  c.def_prop_ro(
       "shape", [](const Tensor& x) { return x.shape({}); }, "The sizes of the axes.")
      .def_prop_ro("dtype", [](const Tensor& x) { return x.dtype({}); })
      .def_prop_ro("ndim", [](const Tensor& x) { return x.rank({}); })
      .def_prop_ro(
          "T", [](const Tensor& x) { return x.rank() < 2 ? x : transpose(x, -2, -1, {}); },
          "With the last two axes exchanged.")
      .def(
          "numel", [](const Tensor& x) { return x.numel({}); }, "How many elements there are.")
      .def(
          "size", [](const Tensor& x, int axis) { return x.size(axis, {}); }, "axis"_a,
          "The size of an axis, negative ones from the end.")
      .def(
          "item", [](const Tensor& x) { return item(x); }, nb::sig("def item(self) -> typing.Any"),
          "The single value, as a Python number.")
      .def(
          "tolist", [](const Tensor& x) { return tolist(x); },
          nb::sig("def tolist(self) -> typing.Any"), "The values as nested lists of numbers.")
      .def(
          "numpy", [](const Tensor& x) { return numpy_array(x); },
          nb::sig("def numpy(self) -> typing.Any"),
          "A NumPy array over the same memory, which cannot be written to (bf16: a copy as f32).")
      .def(
          "__array__",
          [](const Tensor& x, nb::object dtype, nb::object copy) {
            nb::object array = numpy_array(x);
            const bool copies = !copy.is_none() && nb::cast<bool>(copy);
            if (dtype.is_none()) return copies ? array.attr("copy")() : array;
            return array.attr("astype")(dtype, "copy"_a = copies);
          },
          "dtype"_a = nb::none(), "copy"_a = nb::none(),
          nb::sig("def __array__(self, dtype: typing.Any = None, copy: typing.Any = None) -> "
                  "typing.Any"))
      .def(
          "__dlpack__", [](const Tensor& x, nb::kwargs options) { return dlpack_of(x, options); },
          nb::sig("def __dlpack__(self, **kwargs: typing.Any) -> typing.Any"))
      .def("__dlpack_device__", [](const Tensor&) { return std::pair<int, int>(1, 0); })
      .def(
          "__iter__", [](nb::object self) { return nb::steal(PySeqIter_New(self.ptr())); },
          nb::sig("def __iter__(self) -> collections.abc.Iterator[glia.Tensor]"))
      .def("__float__", [](const Tensor& x) { return nb::cast<double>(nb::float_(item(x))); })
      .def("__int__", [](const Tensor& x) { return nb::int_(item(x)); })
      .def("__index__",
           [](const Tensor& x) {
             if (is_float(x.dtype({}))) throw nb::type_error("a tensor of floats is no index");
             return nb::int_(item(x));
           })
      .def("__str__", [](const Tensor& x) { return text_of(x); })
      .def("__format__", [](const Tensor& x, const std::string& format) {
        return format.empty()
                   ? text_of(x)
                   : nb::cast<std::string>(
                         nb::module_::import_("builtins").attr("format")(item(x), format));
      });
}

void bind_variables(nb::module_& m) {
  nb::class_<Variable> v(m, "Variable", nb::type_slots(slots().data()),
                         "A named place whose value changes over time.");
  note_types(nb::handle(reinterpret_cast<PyObject*>(tensor_type)), v);
  define_common(v);
  v.def(
       "tensor", [](const Variable& v) { return v.defined() ? v.tensor({}) : Tensor(); },
       nb::sig("def tensor(self) -> glia.Tensor"), "The value that it has now.")
      .def(
          "set", [](const Variable& v, Tensor x) { v.set(std::move(x), {}); }, "value"_a,
          nb::call_guard<Unlocked>(), "Replaces the value; its shape must stay.")
      .def(
          "replace", [](const Variable& v, Tensor x) { v.replace(std::move(x), {}); }, "value"_a,
          nb::call_guard<Unlocked>(), "Replaces the value by one of any shape and dtype.")
      .def("same_place", &Variable::same_place, "other"_a)
      .def("defined", &Variable::defined)
      .def_prop_rw("trainable", &Variable::trainable, &Variable::set_trainable,
                   "Whether it gets a gradient.")
      .def_prop_rw("requires_grad", &Variable::trainable, &Variable::set_trainable,
                   "The same under PyTorch's name.");
  nb::class_<Parameter, Variable> p(m, "Parameter", "A weight that an optimizer changes.");
  p.def(nb::init<const Tensor&>(), "value"_a)
      .def("__repr__",
           [](const Parameter& v) {
             return repr_of("Parameter", v.defined() ? v.tensor({}) : Tensor());
           })
      .def("__reduce__", [](nb::object self) {
        return nb::make_tuple(self.type(), nb::make_tuple(self.attr("tensor")()));
      });
  nb::class_<Buffer, Variable> b(m, "Buffer", "State that is saved with a model but not trained.");
  b.def(nb::init<const Tensor&>(), "value"_a)
      .def("__repr__",
           [](const Buffer& v) { return repr_of("Buffer", v.defined() ? v.tensor({}) : Tensor()); })
      .def("__reduce__", [](nb::object self) {
        return nb::make_tuple(self.type(), nb::make_tuple(self.attr("tensor")()));
      });
}

}  // namespace

bool load_dtype(PyObject* from, DType* dtype) noexcept {
  if (Py_TYPE(from) == dtype_type) {
    *dtype = *nb::inst_ptr<DType>(from);
    return true;
  }
  try {
    if (PyUnicode_Check(from)) {
      const char* text = PyUnicode_AsUTF8(from);
      for (DType t : kAll)
        if (std::string_view(text) == name(t) ||
            std::string_view(text) == kLong[static_cast<int>(t)]) {
          *dtype = t;
          return true;
        }
      *dtype = from_text(text);
      return true;
    }
    if (from == reinterpret_cast<PyObject*>(&PyFloat_Type)) {
      *dtype = kF32;
      return true;
    }
    if (from == reinterpret_cast<PyObject*>(&PyLong_Type)) {
      *dtype = kI64;
      return true;
    }
    if (from == reinterpret_cast<PyObject*>(&PyBool_Type)) {
      *dtype = kBool;
      return true;
    }
    // NumPy's dtypes have a name, and so have its scalar types.
    nb::handle h(from);
    const char* attribute = PyType_Check(from) ? "__name__" : "name";
    if (from == Py_None || !nb::hasattr(h, attribute)) return false;
    *dtype = from_text(nb::cast<std::string>(h.attr(attribute)));
    return true;
  } catch (...) {
    PyErr_Clear();
    return false;
  }
}

void add_methods(nb::module_& m, const char* const* names, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    nb::object method = nb::steal(PyInstanceMethod_New(nb::object(m.attr(names[i])).ptr()));
    for (const char* owner : {"Tensor", "Variable"}) {
      nb::object type = m.attr(owner);
      if (!PyObject_HasAttrString(type.ptr(), names[i])) type.attr(names[i]) = method;
    }
  }
}

void bind_tensors(nb::module_& m) {
  bind_dtype(m);
  nb::class_<Tensor> t(m, "Tensor", nb::type_slots(slots().data()), nb::pooled(256),
                       "An immutable n-dimensional array whose numbers may not have been computed "
                       "yet. Reading a value computes what it needs.");
  tensor_type = reinterpret_cast<PyTypeObject*>(t.ptr());
  define_common(t);
  t.def_prop_ro(
       "requires_grad", [](const Tensor& x) { return x.requires_grad({}); },
       "Whether gradients() may be asked with respect to it.")
      .def("__repr__", [](const Tensor& x) { return repr_of("tensor", x); })
      .def("__copy__", [](const Tensor& x) { return x; })
      .def(
          "__deepcopy__", [](const Tensor& x, nb::handle) { return x; }, "memo"_a)
      .def("__reduce__", [](const Tensor& x) {
        const void* data = bytes_of(x);
        nb::bytes bytes(data, static_cast<size_t>(x.numel()) * size_of(x.dtype()));
        return nb::make_tuple(nb::module_::import_("glia").attr("_restored"),
                              nb::make_tuple(bytes, x.shape(), name(x.dtype())));
      });
  bind_variables(m);

  m.def("_restored", [](nb::bytes bytes, const Shape& shape, const std::string& dtype) {
    const DType type = from_text(dtype);
    if (static_cast<size_t>(shape.numel()) * size_of(type) != bytes.size())
      throw ValueError("pickle: a tensor's bytes do not fit its shape");
    return from_bytes(bytes.data(), shape, type);
  });
  m.def(
      "tensor",
      [](nb::object data, std::optional<DType> dtype) { return as_tensor(data, dtype, true); },
      "data"_a, "dtype"_a = nb::none(),
      nb::sig("def tensor(data: typing.Any, dtype: glia.DType | str | type | None = None) -> "
              "glia.Tensor"),
      "A tensor of numbers, nested lists or an array, which is copied; floats of Python are f32, "
      "integers i64.");
  m.def(
      "asarray",
      [](nb::object data, std::optional<DType> dtype) { return as_tensor(data, dtype, false); },
      "data"_a, "dtype"_a = nb::none(),
      nb::sig("def asarray(data: typing.Any, dtype: glia.DType | str | type | None = None) -> "
              "glia.Tensor"),
      "The same over an array's own memory, where it is contiguous.");
  m.def(
      "from_numpy",
      [](nb::object array) {
        if (!is_numpy(array)) throw nb::type_error("from_numpy: not an array of NumPy");
        return any_array(array);
      },
      "array"_a, nb::sig("def from_numpy(array: typing.Any) -> glia.Tensor"),
      "A tensor over the memory of a NumPy array, which must not be written to while the tensor "
      "is in use; what is not contiguous is copied.");
  m.def(
      "from_dlpack", [](nb::object array) { return any_array(array); }, "array"_a,
      nb::sig("def from_dlpack(array: typing.Any) -> glia.Tensor"),
      "A tensor over the memory of any array with __dlpack__, such as one of PyTorch.");
}

}  // namespace glia::python

nanobind::handle nanobind::detail::type_caster<glia::DType>::from_cpp(glia::DType src, rv_policy,
                                                                      cleanup_list*) noexcept {
  return handle(glia::python::dtypes[static_cast<int>(src)]).inc_ref();
}
