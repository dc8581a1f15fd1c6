// Casters of what holds one of several kinds of values.
#pragma once

#include "glia/data.h"
#include "glia/report.h"
#include "glia/train.h"
#include "python/bindings/casters.h"

namespace glia::python {

// Of a dict, a sequence of values, or one tensor.
bool load_sample(PyObject* from, bool convert, data::Sample* sample);

}  // namespace glia::python

namespace nanobind::detail {

template <>
struct type_caster<glia::data::Sample>
    : place_caster<glia::data::Sample, glia::python::load_sample> {
  static constexpr auto Name = io_name(
      "glia.data.Sample | collections.abc.Mapping[str, typing.Any] | "
      "collections.abc.Sequence[typing.Any] | glia.Tensor",
      "glia.data.Sample");
};

// Data sets of tensors alone are samples without names.
template <size_t N>
struct type_caster<glia::data::Dataset<N>> {
  using Base = make_caster<glia::data::Samples>;
  using Value = glia::data::Dataset<N>;
  static constexpr auto Name = Base::Name;
  template <class T>
  using Cast = glia::data::Dataset<N>;
  template <class T>
  static constexpr bool can_cast() {
    return true;
  }
  bool from_python(handle src, uint32_t flags, cleanup_list* cleanup) noexcept {
    return base_.from_python(src, flags, cleanup) && static_cast<glia::data::Samples*>(base_);
  }
  static handle from_cpp(const glia::data::Dataset<N>& src, rv_policy,
                         cleanup_list* list) noexcept {
    return Base::from_cpp(glia::data::Samples(src.source()), rv_policy::move, list);
  }
  explicit operator glia::data::Dataset<N>() {
    return glia::data::Dataset<N>(static_cast<glia::data::Samples&>(base_).source());
  }

 private:
  Base base_;
};

template <>
struct type_caster<glia::data::Value> {
  GLIA_CASTER(glia::data::Value, const_name("glia.Tensor | int | float | str | list[str]"))
  bool from_python(handle src, uint32_t flags, cleanup_list* cleanup) noexcept {
    glia::Number number = 0;
    if (PyUnicode_Check(src.ptr())) {
      value = std::string(borrow<str>(src).c_str());
      return true;
    }
    if (glia::python::load_number(src.ptr(), flags & cast_flags::convert, &number)) {
      value = number.is_integer() ? glia::data::Value(number.integer())
                                  : glia::data::Value(number.value());
      return true;
    }
    make_caster<std::vector<std::string>> texts;
    if (PyList_Check(src.ptr()) && texts.from_python(src, flags, cleanup)) {
      value = texts.operator std::vector<std::string>&&();
      return true;
    }
    make_caster<glia::Tensor> tensor;
    if (src.is_none() || !tensor.from_python(src, flags, cleanup)) return false;
    value = tensor.operator glia::Tensor&();
    return true;
  }
  static handle from_cpp(const glia::data::Value& src, rv_policy policy,
                         cleanup_list* cleanup) noexcept {
    using V = glia::data::Value;
    switch (src.kind()) {
      case V::Kind::kInteger:
        return PyLong_FromLongLong(*src.integer());
      case V::Kind::kFloat:
        return PyFloat_FromDouble(*src.number());
      case V::Kind::kText:
        return make_caster<std::string>::from_cpp(*src.text(), policy, cleanup);
      case V::Kind::kTexts:
        return make_caster<std::vector<std::string>>::from_cpp(*src.texts(), policy, cleanup);
      default:
        return make_caster<glia::Tensor>::from_cpp(*src.tensor(), policy, cleanup);
    }
  }
};

template <>
struct type_caster<glia::training::Amount> {
  GLIA_CASTER(glia::training::Amount, const_name("glia.Tensor | float | int | None"))
  bool from_python(handle src, uint32_t flags, cleanup_list* cleanup) noexcept {
    glia::Number number = 0;
    if (src.is_none()) {
      value = {};
      return true;
    }
    if (glia::python::load_number(src.ptr(), flags & cast_flags::convert, &number)) {
      value = glia::training::Amount(number.value());
      return true;
    }
    make_caster<glia::Tensor> tensor;
    if (!tensor.from_python(src, flags, cleanup)) return false;
    value = glia::training::Amount(tensor.operator glia::Tensor&());
    return true;
  }
  static handle from_cpp(const glia::training::Amount& src, rv_policy policy,
                         cleanup_list* cleanup) noexcept {
    if (!src.is_set()) return none().release();
    if (src.tensor().defined())
      return make_caster<glia::Tensor>::from_cpp(src.tensor(), policy, cleanup);
    return PyFloat_FromDouble(src.number());
  }
};

template <>
struct type_caster<glia::report::Table::Cell> {
  using Cell = glia::report::Table::Cell;
  using Held = std::variant<std::string, int64_t, double>;
  static constexpr auto Name = const_name("str | int | float");
  using Value = Cell;
  template <class T>
  using Cast = Cell;
  template <class T>
  static constexpr bool can_cast() {
    return true;
  }
  bool from_python(handle src, uint32_t flags, cleanup_list* cleanup) noexcept {
    return held_.from_python(src, flags, cleanup);
  }
  static handle from_cpp(const Cell& src, rv_policy policy, cleanup_list* cleanup) noexcept {
    return make_caster<Held>::from_cpp(src.value(), policy, cleanup);
  }
  explicit operator Cell() {
    return std::visit([](const auto& held) { return Cell(held); }, static_cast<Held&>(held_));
  }

 private:
  make_caster<Held> held_;
};

}  // namespace nanobind::detail
