// Casters of what environments read and write: they refer to memory of the caller.
#pragma once

#include <cstring>

#include "glia/rl/env.h"
#include "python/bindings/casters.h"

namespace glia::python {

// The memory of a contiguous array, while one lives.
class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() {
    if (held_) PyBuffer_Release(&view_);
  }
  // False for what has none, none to write to, or one of another type.
  bool load(PyObject* from, bool writable) noexcept {
    const int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(from, &view_, flags) != 0) {
      PyErr_Clear();
      return false;
    }
    held_ = true;
    const char* format = view_.format ? view_.format : "B";
    if (std::strlen(format) != 1) return false;
    if (*format == 'f') {
      dtype_ = kF32;
    } else if (*format == 'd') {
      dtype_ = kF64;
    } else if ((*format == 'l' || *format == 'q') && view_.itemsize == 8) {
      dtype_ = kI64;
    } else if (*format == 'B') {
      dtype_ = kU8;
    } else {
      return false;
    }
    return true;
  }
  void* data() const { return view_.buf; }
  DType dtype() const { return dtype_; }
  int64_t size() const { return view_.len / view_.itemsize; }

 private:
  Py_buffer view_{};
  DType dtype_ = kF32;
  bool held_ = false;
};

}  // namespace glia::python

namespace nanobind::detail {

template <class T, bool kWritable>
struct [[gnu::visibility("hidden")]] memory_caster {
  using Value = T;
  static constexpr auto Name = const_name("typing.Any");
  template <class U>
  using Cast = T;
  template <class U>
  static constexpr bool can_cast() {
    return true;
  }
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    return memory_.load(src.ptr(), kWritable);
  }
  explicit operator T() { return T(memory_.data(), memory_.dtype(), memory_.size()); }

 private:
  glia::python::Memory memory_;
};
template <>
struct type_caster<glia::rl::Observation> : memory_caster<glia::rl::Observation, true> {};
template <>
struct type_caster<glia::rl::ObservationView> : memory_caster<glia::rl::ObservationView, false> {
  static constexpr auto Name = io_name("typing.Any", "glia.Tensor");
  static handle from_cpp(const glia::rl::ObservationView& src, rv_policy, cleanup_list*) noexcept {
    return glia::python::wrap(glia::from_bytes(src.data(), {src.size()}, src.dtype()));
  }
};

template <>
struct type_caster<glia::rl::Action> {
  using Value = glia::rl::Action;
  static constexpr auto Name = const_name("int | collections.abc.Sequence[float]");
  template <class U>
  using Cast = glia::rl::Action;
  template <class U>
  static constexpr bool can_cast() {
    return true;
  }
  bool from_python(handle src, uint32_t flags, cleanup_list* cleanup) noexcept {
    if (PyIndex_Check(src.ptr())) {
      make_caster<int64_t> choice;
      if (!choice.from_python(src, flags, cleanup)) return false;
      choice_ = choice.operator cast_t<int64_t>();
      return is_choice_ = true;
    }
    return values_.from_python(src, flags, cleanup);
  }
  explicit operator glia::rl::Action() {
    if (is_choice_) return glia::rl::Action(choice_);
    return glia::rl::Action(static_cast<std::vector<float>&>(values_));
  }

 private:
  make_caster<std::vector<float>> values_;
  int64_t choice_ = 0;
  bool is_choice_ = false;
};

}  // namespace nanobind::detail
