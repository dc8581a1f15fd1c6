// How C++ types of the public headers and Python objects become each other: written once here, so
// that the generated units only name functions. Signatures say what Python may pass.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/list.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>

#include "glia/autodiff.h"
#include "glia/tensor.h"

namespace nb = nanobind;

namespace glia::python {

// While one lives, other Python threads run: without any there is nothing to let go of, which
// makes it free for most programs. Whoever waits for a lock of the library must not hold the GIL.
class Unlocked {
 public:
  Unlocked() {
    PyThreadState* here = PyThreadState_Get();
    if (others(here)) state_ = PyEval_SaveThread();
  }
  ~Unlocked() {
    if (state_) PyEval_RestoreThread(state_);
  }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  static bool others(PyThreadState* here) {
    PyThreadState* first = PyInterpreterState_ThreadHead(PyThreadState_GetInterpreter(here));
    return first != here || PyThreadState_Next(first) != nullptr;
  }
  PyThreadState* state_ = nullptr;
};

// The Python class of tensors, once it is bound.
extern PyTypeObject* tensor_type;

// A new Python object for a tensor; None for an undefined one.
PyObject* wrap(Tensor&& tensor) noexcept;
// The tensor of a Python object: of a Tensor, whose handle `place` then points to; else in `held`,
// of a Variable, None (undefined), and where `convert` allows it a NumPy array. False: none.
bool load_tensor(PyObject* from, bool convert, const Tensor** place, Tensor* held) noexcept;
// A Python number, NumPy's scalars included; false if it is none.
bool load_number(PyObject* from, bool convert, Number* number) noexcept;
bool load_dtype(PyObject* from, DType* dtype) noexcept;
// What stands between the brackets of x[...]; false if it cannot.
bool load_indices(PyObject* from, std::vector<Index>* at);
// Sizes, in whatever sequence of integers; `single` also takes one integer.
bool load_sizes(PyObject* from, bool single, std::vector<int64_t>* sizes) noexcept;
// False where anything is no Variable.
bool load_variables(PyObject* from, bool convert, ParameterList* list);
// A list's own temporary tensors are taken over: nobody else sees them, so that a step in place may
// use their memory.
void take_over(PyObject* list, std::vector<Tensor>* tensors) noexcept;
// f(*inputs) of a Python callable, and the other way round.
TensorFunction call_with(nb::object f);
nb::object callable(TensorFunction f);

// The name of an enumerator, and back.
struct EnumNames {
  const char* const* names;
  const int64_t* values;
  size_t count;
};
bool load_enum(PyObject* from, const EnumNames& names, int64_t* value) noexcept;
PyObject* enum_name(int64_t value, const EnumNames& names) noexcept;

// The line of Python that is running, " at train.py:12", or nothing; without Glia's own files.
std::string python_line();

// A context manager around a C++ object that acts while it lives.
template <class T>
struct Scope {
  std::function<std::shared_ptr<T>()> make;
  std::vector<std::shared_ptr<T>> alive = {};

  void enter() { alive.push_back(make()); }
  void leave() {
    if (!alive.empty()) alive.pop_back();
  }
};

}  // namespace glia::python

namespace nanobind::detail {

// What is passed on as it is held, by reference or moved.
#define GLIA_CASTER(Type, name)                \
  using Value = Type;                          \
  static constexpr auto Name = name;           \
  template <class T_>                          \
  using Cast = movable_cast_t<T_>;             \
  template <class T_>                          \
  static constexpr bool can_cast() {           \
    return true;                               \
  }                                            \
  Type value{};                                \
  explicit operator Type*() { return &value; } \
  explicit operator Type&() { return value; }  \
  explicit operator Type&&() { return std::move(value); }

template <>
struct type_caster<glia::Tensor> : type_caster_base_tag {
  using Type = glia::Tensor;
  static constexpr auto Name = io_name("glia.Tensor | glia.Variable", "glia.Tensor");
  template <class T>
  using Cast = movable_cast_t<T>;

  bool from_python(handle src, uint32_t flags, cleanup_list*) noexcept {
    if (Py_TYPE(src.ptr()) == glia::python::tensor_type) {
      place_ = inst_ptr<glia::Tensor>(src);
      return true;
    }
    return glia::python::load_tensor(src.ptr(), flags & cast_flags::convert, &place_, &held_);
  }
  static handle from_cpp(const glia::Tensor& src, rv_policy, cleanup_list*) noexcept {
    return glia::python::wrap(glia::Tensor(src));
  }
  static handle from_cpp(glia::Tensor&& src, rv_policy, cleanup_list*) noexcept {
    return glia::python::wrap(std::move(src));
  }
  static handle from_cpp(const glia::Tensor* src, rv_policy, cleanup_list*) noexcept {
    return src ? glia::python::wrap(glia::Tensor(*src)) : none().release().ptr();
  }
  template <class T>
  static constexpr bool can_cast() {
    return true;
  }
  operator glia::Tensor*() { return place_ ? const_cast<glia::Tensor*>(place_) : &held_; }
  operator glia::Tensor&() { return place_ ? const_cast<glia::Tensor&>(*place_) : held_; }
  operator glia::Tensor&&() {
    if (place_) held_ = *place_;
    return std::move(held_);
  }

 private:
  const glia::Tensor* place_ = nullptr;
  glia::Tensor held_;
};

template <>
struct type_caster<glia::Operand> {
  static constexpr auto Name = const_name("glia.Tensor | glia.Variable | float | int | bool");
  template <class T>
  using Cast = glia::Operand;
  template <class T>
  static constexpr bool can_cast() {
    return true;
  }

  bool from_python(handle src, uint32_t flags, cleanup_list*) noexcept {
    if (Py_TYPE(src.ptr()) == glia::python::tensor_type) {
      place_ = inst_ptr<glia::Tensor>(src);
      return true;
    }
    const bool convert = flags & cast_flags::convert;
    if (glia::python::load_number(src.ptr(), convert, &number_)) return is_number_ = true;
    return src.ptr() != Py_None && glia::python::load_tensor(src.ptr(), convert, &place_, &held_);
  }
  explicit operator glia::Operand() {
    if (is_number_) return glia::Operand(number_, glia::Where());
    return glia::Operand(place_ ? *place_ : held_, glia::Where());
  }

 private:
  const glia::Tensor* place_ = nullptr;
  glia::Tensor held_;
  glia::Number number_ = 0;
  bool is_number_ = false;
};

template <>
struct type_caster<glia::Number> {
  static constexpr auto Name = const_name("float | int | bool");
  template <class T>
  using Cast = glia::Number;
  template <class T>
  static constexpr bool can_cast() {
    return true;
  }
  bool from_python(handle src, uint32_t flags, cleanup_list*) noexcept {
    return glia::python::load_number(src.ptr(), flags & cast_flags::convert, &value_);
  }
  static handle from_cpp(const glia::Number& src, rv_policy, cleanup_list*) noexcept {
    if (src.kind() == glia::kBool) return PyBool_FromLong(src.value() != 0);
    return src.is_exact() ? PyLong_FromLongLong(src.integer()) : PyFloat_FromDouble(src.value());
  }
  explicit operator glia::Number() { return value_; }

 private:
  glia::Number value_ = 0;
};

template <>
struct type_caster<glia::DType> : type_caster_base_tag {
  using Type = glia::DType;
  static constexpr auto Name = io_name("glia.DType | str | type", "glia.DType");
  template <class T>
  using Cast = movable_cast_t<T>;
  template <class T>
  static constexpr bool can_cast() {
    return true;
  }
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    return glia::python::load_dtype(src.ptr(), &value_);
  }
  static handle from_cpp(glia::DType src, rv_policy, cleanup_list*) noexcept;
  operator glia::DType*() { return &value_; }
  operator glia::DType&() { return value_; }
  operator glia::DType&&() { return std::move(value_); }

 private:
  glia::DType value_{};
};

template <>
struct type_caster<glia::Shape> {
  GLIA_CASTER(glia::Shape, io_name("collections.abc.Sequence[int] | int", "tuple[int, ...]"))
  bool from_python(handle src, uint32_t flags, cleanup_list*) noexcept {
    std::vector<int64_t> sizes;
    if (!glia::python::load_sizes(src.ptr(), flags & cast_flags::convert, &sizes) ||
        sizes.size() > static_cast<size_t>(glia::kMaxRank))
      return false;
    value = glia::Shape(sizes);
    return true;
  }
  static handle from_cpp(const glia::Shape& src, rv_policy, cleanup_list*) noexcept {
    PyObject* sizes = PyTuple_New(src.rank());
    for (int i = 0; sizes && i < src.rank(); ++i)
      PyTuple_SET_ITEM(sizes, i, PyLong_FromLongLong(src[i]));
    return sizes;
  }
};

template <>
struct type_caster<std::vector<int64_t>> {
  GLIA_CASTER(std::vector<int64_t>, io_name("collections.abc.Sequence[int] | int", "list[int]"))
  bool from_python(handle src, uint32_t flags, cleanup_list*) noexcept {
    return glia::python::load_sizes(src.ptr(), flags & cast_flags::convert, &value);
  }
  static handle from_cpp(const std::vector<int64_t>& src, rv_policy, cleanup_list*) noexcept {
    PyObject* list = PyList_New(static_cast<Py_ssize_t>(src.size()));
    for (size_t i = 0; list && i < src.size(); ++i)
      PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(src[i]));
    return list;
  }
};

template <>
struct type_caster<std::vector<glia::Tensor>>
    : list_caster<std::vector<glia::Tensor>, glia::Tensor> {
  using Base = list_caster<std::vector<glia::Tensor>, glia::Tensor>;
  bool from_python(handle src, uint32_t flags, cleanup_list* cleanup) noexcept {
    source_ = src.ptr();
    if (PyGen_CheckExact(source_)) return false;
    return Base::from_python(src, flags, cleanup);
  }
  explicit operator std::vector<glia::Tensor>*() { return &this->value; }
  explicit operator std::vector<glia::Tensor>&() { return this->value; }
  explicit operator std::vector<glia::Tensor>&&() {
    glia::python::take_over(source_, &this->value);
    return std::move(this->value);
  }

 private:
  PyObject* source_ = nullptr;
};

// A bound class, for whose objects others may stand: `load` makes them of these.
template <class T, bool (*load)(PyObject*, bool convert, T*)>
struct [[gnu::visibility("hidden")]] place_caster : type_caster_base_tag {
  using Type = T;
  template <class U>
  using Cast = precise_cast_t<U>;
  template <class U>
  static constexpr bool can_cast() {
    return true;
  }
  bool from_python(handle src, uint32_t flags, cleanup_list * cleanup) noexcept {
    if (base_.from_python(src, flags & ~cast_flags::convert, cleanup)) {
      place_ = base_;
      return place_ != nullptr || (flags & cast_flags::accepts_none);
    }
    try {
      return load(src.ptr(), flags & cast_flags::convert, &held_);
    } catch (...) {
      PyErr_Clear();
      return false;
    }
  }
  template <class U>
  static handle from_cpp(U && src, rv_policy policy, cleanup_list * cleanup) noexcept {
    return type_caster_base<T>::from_cpp(std::forward<U>(src), policy, cleanup);
  }
  operator T*() { return place_ ? place_ : &held_; }
  operator T&() { return place_ ? *place_ : held_; }
  operator T&&() {
    if (place_) held_ = *place_;
    return std::move(held_);
  }

 private:
  type_caster_base<T> base_;
  T* place_ = nullptr;
  T held_;
};

// Any sequence of variables serves as one.
template <>
struct type_caster<glia::ParameterList>
    : place_caster<glia::ParameterList, glia::python::load_variables> {
  static constexpr auto Name =
      io_name("glia.ParameterList | collections.abc.Iterable[glia.Variable]", "glia.ParameterList");
};

template <>
struct type_caster<glia::Slice> {
  GLIA_CASTER(glia::Slice, const_name("builtins.slice"))
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    std::vector<glia::Index> at;
    try {
      if (!PySlice_Check(src.ptr()) || !glia::python::load_indices(src.ptr(), &at)) return false;
    } catch (...) {
      PyErr_Clear();
      return false;
    }
    value = at[0].slice();
    return true;
  }
};

template <>
struct type_caster<std::vector<glia::Index>> {
  GLIA_CASTER(std::vector<glia::Index>, const_name("object"))
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    try {
      return glia::python::load_indices(src.ptr(), &value);
    } catch (...) {
      PyErr_Clear();
      return false;
    }
  }
};

// Values by name are dicts.
template <class T>
struct type_caster<std::vector<std::pair<std::string, T>>> {
  using Dict = std::vector<std::pair<std::string, T>>;
  GLIA_CASTER(Dict, io_name("collections.abc.Mapping[str, ", "dict[str, ") + make_caster<T>::Name +
                        const_name("]"))
  bool from_python(handle src, uint32_t flags, cleanup_list* cleanup) noexcept {
    value.clear();
    PyObject* items = PyDict_Check(src.ptr())      ? PyDict_Items(src.ptr())
                      : PyMapping_Check(src.ptr()) ? PyMapping_Items(src.ptr())
                                                   : nullptr;
    if (!items) {
      PyErr_Clear();
      items = PySequence_List(src.ptr());  // pairs
    }
    if (!items) {
      PyErr_Clear();
      return false;
    }
    bool good = true;
    for (Py_ssize_t i = 0; good && i < PyList_GET_SIZE(items); ++i) {
      make_caster<std::pair<std::string, T>> pair;
      good = pair.from_python(PyList_GET_ITEM(items, i), flags, cleanup);
      if (good) value.push_back(pair.operator cast_t<std::pair<std::string, T>>());
    }
    Py_DECREF(items);
    return good;
  }
  template <class U>
  static handle from_cpp(U&& src, rv_policy policy, cleanup_list* cleanup) noexcept {
    PyObject* dict = PyDict_New();
    for (auto& [name, value] : src) {
      PyObject* key =
          PyUnicode_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size()));
      PyObject* held = make_caster<T>::from_cpp(forward_like_<U>(value), policy, cleanup).ptr();
      const bool good = dict && key && held && PyDict_SetItem(dict, key, held) == 0;
      Py_XDECREF(key);
      Py_XDECREF(held);
      if (!good) {
        Py_XDECREF(dict);
        return {};
      }
    }
    return dict;
  }
};

// Of tensors alone: f(*tensors).
template <>
struct type_caster<glia::TensorFunction> {
  GLIA_CASTER(glia::TensorFunction, const_name("collections.abc.Callable[..., glia.Tensor]"))
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    if (!PyCallable_Check(src.ptr())) return false;
    value = glia::python::call_with(borrow(src));
    return true;
  }
  static handle from_cpp(const glia::TensorFunction& src, rv_policy, cleanup_list*) noexcept {
    return glia::python::callable(src).release();
  }
};

// A reference to a Python object that may be copied and dropped by any thread.
inline std::shared_ptr<PyObject> shared(handle object) {
  return {object.inc_ref().ptr(), [](PyObject* p) {
            if (!Py_IsInitialized()) return;
            gil_scoped_acquire locked;
            Py_DECREF(p);
          }};
}

// What a Python function is called with: a reference stands for the object itself.
template <class T>
object argument(T&& value) {
  constexpr bool kIsPlace =
      std::is_lvalue_reference_v<T> && !std::is_const_v<std::remove_reference_t<T>>;
  constexpr auto kPolicy = kIsPlace                        ? rv_policy::reference_v
                           : std::is_lvalue_reference_v<T> ? rv_policy::copy_v
                                                           : rv_policy::move_v;
  object made =
      steal(make_caster<T>::from_cpp(std::forward<T>(value), rv_policy(kPolicy), nullptr));
  if (!made.is_valid()) raise_python_or_cast_error();
  return made;
}

template <class R, class... A>
struct type_caster<std::function<R(A...)>> {
  using Function = std::function<R(A...)>;
  using Result = make_caster<std::conditional_t<std::is_void_v<R>, void_type, R>>;
  GLIA_CASTER(Function, const_name("collections.abc.Callable[[") + concat(make_caster<A>::Name...) +
                            const_name("], ") + Result::Name + const_name("]"))
  struct Call {
    std::shared_ptr<PyObject> f;
    R operator()(A... arguments) const {
      gil_scoped_acquire locked;
      object out = steal(PyObject_CallFunctionObjArgs(
          f.get(), argument<A>(std::forward<A>(arguments)).ptr()..., nullptr));
      if (!out.is_valid()) throw python_error();
      if constexpr (!std::is_void_v<R>) return cast<R>(out);
    }
  };
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    value = nullptr;
    if (src.is_none()) return true;
    if (!PyCallable_Check(src.ptr())) return false;
    value = Call{shared(src)};
    return true;
  }
  static handle from_cpp(const Function& src, rv_policy, cleanup_list*) noexcept {
    if (const Call* call = src.template target<Call>()) return borrow(call->f.get()).release();
    if (!src) return none().release();
    return cpp_function([src](A... arguments) -> R { return src(std::forward<A>(arguments)...); })
        .release();
  }
};

template <class T>
struct type_caster<std::span<const T>> {
  using Caster = make_caster<std::vector<T>>;
  using Value = std::span<const T>;
  static constexpr auto Name = Caster::Name;
  template <class U>
  using Cast = std::span<const T>;
  template <class U>
  static constexpr bool can_cast() {
    return true;
  }
  bool from_python(handle src, uint32_t flags, cleanup_list* cleanup) noexcept {
    return values_.from_python(src, flags, cleanup);
  }
  static handle from_cpp(std::span<const T> src, rv_policy policy, cleanup_list* list) noexcept {
    return Caster::from_cpp(std::vector<T>(src.begin(), src.end()), policy, list);
  }
  explicit operator std::span<const T>() { return static_cast<std::vector<T>&>(values_); }

 private:
  Caster values_;
};

template <class T>
struct type_caster<std::deque<T>> : list_caster<std::deque<T>, T> {};

// Enumerators are texts in Python.
template <class T>
struct enum_caster {
  template <class U>
  using Cast = T;
  using Value = T;
  template <class U>
  static constexpr bool can_cast() {
    return true;
  }
  explicit operator T() { return static_cast<T>(value_); }

 protected:
  int64_t value_ = 0;
};
#define GLIA_ENUM(Type, signature, table)                                 \
  template <>                                                             \
  struct type_caster<Type> : enum_caster<Type> {                          \
    static constexpr auto Name = const_name(signature);                   \
    bool from_python(handle src, uint32_t, cleanup_list*) noexcept {      \
      return glia::python::load_enum(src.ptr(), table, &value_);          \
    }                                                                     \
    static handle from_cpp(Type src, rv_policy, cleanup_list*) noexcept { \
      return glia::python::enum_name(static_cast<int64_t>(src), table);   \
    }                                                                     \
  };

// A struct derived from a pair or array of sizes, for all of which one number may stand.
template <class T, class Base>
struct sizes_caster {
  using Value = T;
  static constexpr auto Name = make_caster<Base>::Name;
  template <class U>
  using Cast = T;
  template <class U>
  static constexpr bool can_cast() {
    return true;
  }
  bool from_python(handle src, uint32_t flags, cleanup_list* cleanup) noexcept {
    make_caster<int64_t> one;
    if (one.from_python(src, flags, cleanup)) {
      if constexpr (std::is_constructible_v<T, int64_t>)
        value_.emplace(one.operator cast_t<int64_t>());
      return value_.has_value();
    }
    make_caster<Base> all;
    if (!all.from_python(src, flags, cleanup)) return false;
    value_.emplace(all.operator cast_t<Base>());
    return true;
  }
  static handle from_cpp(const T& src, rv_policy policy, cleanup_list* cleanup) noexcept {
    return make_caster<Base>::from_cpp(static_cast<const Base&>(src), policy, cleanup);
  }
  explicit operator T() { return *value_; }

 private:
  std::optional<T> value_;
};

}  // namespace nanobind::detail
