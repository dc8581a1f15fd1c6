// Tensor: a handle on a node of the lazy graph.
#pragma once

#include <limits>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "glia/dtype.h"
#include "glia/error.h"
#include "glia/shape.h"

namespace glia {

struct Node;  // private: src/core/node.h

using Where = std::source_location;  // the caller's line, for error messages

// An immutable n-dimensional array whose numbers may not have been computed yet. Copying a handle
// is cheap and shares the value; assigning to a handle changes what it names and nothing else.
// Operations record nodes; reading a value (item, data, printing) computes what it needs.
class Tensor {
 public:
  Tensor() = default;  // names nothing: defined() is false
  Tensor(const Tensor& other) noexcept;
  Tensor(Tensor&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  Tensor& operator=(const Tensor& other) noexcept;
  Tensor& operator=(Tensor&& other) noexcept {
    Tensor taken(std::move(other));
    std::swap(node_, taken.node_);  // what this named goes now
    return *this;
  }
  ~Tensor() {
    if (node_) let_go();
  }

  bool defined() const { return node_ != nullptr; }
  const Shape& shape(Where where = Where::current()) const;
  DType dtype(Where where = Where::current()) const;
  int rank(Where where = Where::current()) const { return shape(where).rank(); }
  int64_t size(int axis, Where where = Where::current()) const { return shape(where).size(axis); }
  int64_t numel(Where where = Where::current()) const { return shape(where).numel(); }
  // Whether gradients() may be asked with respect to this tensor: it is trainable or depends on
  // something that is.
  bool requires_grad(Where where = Where::current()) const;

  // The single value; any dtype converts to any number, floats to integers by cutting off what is
  // behind the point. Throws ShapeError if numel() != 1, ValueError if T does not hold the value.
  template <class T = double>
  T item(Where where = Where::current()) const {
    using Limits = std::numeric_limits<T>;
    if constexpr (std::is_same_v<T, bool>) {
      return item_double(where) != 0;
    } else if constexpr (std::is_integral_v<T>) {
      constexpr bool kWide = sizeof(T) == 8 && !Limits::is_signed;
      return static_cast<T>(item_integer(
          Limits::min(), kWide ? INT64_MAX : static_cast<int64_t>(Limits::max()), where));
    } else {
      return static_cast<T>(item_double(where));
    }
  }
  // The values, row-major and contiguous, valid while this handle lives. T must match dtype().
  template <class T>
  std::span<const T> data(Where where = Where::current()) const {
    return {static_cast<const T*>(raw_data(dtype_of<T>, where)), static_cast<size_t>(numel())};
  }
  // A copy of the values, converted to T as item() does.
  template <class T>
  std::vector<T> to_vector(Where where = Where::current()) const;
  // What NumPy prints for such an array: 8 digits, large arrays abridged.
  std::string str() const;

  // Private to the library: the node behind the handle.
  Node* node() const { return node_; }
  static Tensor adopt(Node* node) {  // takes over one handle reference
    Tensor t;
    t.node_ = node;
    return t;
  }

 private:
  double item_double(Where where) const;
  // Which it must not be beyond.
  int64_t item_integer(int64_t low, int64_t high, Where where) const;
  const void* raw_data(DType expected, Where where) const;
  void let_go() noexcept;

  Node* node_ = nullptr;
};

// A host number as it was given: an integer keeps all of its digits.
class Number {
 public:
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  constexpr Number(T value)
      : value_(static_cast<double>(value)),
        kind_(std::is_same_v<T, bool> ? kBool
              : std::is_integral_v<T> ? kI64
                                      : kF64) {
    if constexpr (std::is_integral_v<T>) {
      integer_ = static_cast<int64_t>(value);
      beyond_i64_ = sizeof(T) == 8 && !std::is_signed_v<T> && integer_ < 0;
    }
  }
  double value() const { return value_; }
  DType kind() const { return kind_; }  // kBool, kI64 or kF64
  bool is_integer() const { return kind_ != kF64; }
  // Whether it is an integer below 2^63: integer() then has all of its digits.
  constexpr bool is_exact() const { return kind_ != kF64 && !beyond_i64_; }
  int64_t integer() const { return integer_; }
  std::string str() const;

 private:
  double value_ = 0;
  int64_t integer_ = 0;
  DType kind_ = kF64;
  bool beyond_i64_ = false;
};

// What an arithmetic operator takes: a tensor, or a host number that adopts the other operand's
// dtype and is passed to a plan at run time, so that changing it never makes a new plan. It also
// notes the caller's source line for error messages. As in NumPy 2, an integer that the adopted
// dtype does not hold is an error, in comparisons the number that it is.
class Operand {
 public:
  Operand(const Tensor& tensor, Where where = Where::current()) : tensor_(&tensor), where_(where) {}
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  Operand(T value, Where where = Where::current()) : number_(value), where_(where) {}
  Operand(const Number& value, Where where = Where::current()) : number_(value), where_(where) {}
  // Anything that names a tensor, such as a Parameter.
  template <class T, class Found = decltype(std::declval<const T&>().tensor()), class = void>
  Operand(const T& holder, Where where = Where::current()) : where_(where) {
    if constexpr (std::is_reference_v<Found>)
      tensor_ = &holder.tensor();
    else
      held_ = holder.tensor(where);
  }

  bool is_scalar() const { return !tensor_ && !held_.defined(); }
  const Tensor& tensor() const { return tensor_ ? *tensor_ : held_; }
  const Number& number() const { return number_; }
  const Where& where() const { return where_; }

 private:
  const Tensor* tensor_ = nullptr;
  Tensor held_;
  Number number_ = 0.0;
  Where where_;
};

// ---- Creation -------------------------------------------------------------------------------

// A copy of `values` as a tensor of that shape. Throws ShapeError when the counts differ.
Tensor from_bytes(const void* values, const Shape& shape, DType dtype);
template <class T>
Tensor from_vector(const std::vector<T>& values, const Shape& shape) {
  if (static_cast<int64_t>(values.size()) != shape.numel())
    throw ShapeError("from_vector: " + std::to_string(values.size()) + " values for shape " +
                     shape.str());
  if constexpr (std::is_same_v<T, bool>) {
    std::vector<uint8_t> bytes(values.begin(), values.end());
    return from_bytes(bytes.data(), shape, kBool);
  } else {
    return from_bytes(values.data(), shape, dtype_of<T>);
  }
}
// A tensor over memory it does not copy; `owner` is kept until the tensor is gone.
Tensor from_external(const void* values, const Shape& shape, DType dtype,
                     std::shared_ptr<const void> owner);
// tensor({1, 2, 3}): rank 1; tensor({{1, 2}, {3, 4}}): rank 2; tensor(3.5): rank 0.
template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
Tensor tensor(T value) {
  return from_bytes(&value, {}, dtype_of<T>);
}
template <class T>
Tensor tensor(std::initializer_list<T> values) {
  return from_vector(std::vector<T>(values), {static_cast<int64_t>(values.size())});
}
template <class T>
Tensor tensor(std::initializer_list<std::initializer_list<T>> rows) {
  std::vector<T> flat;
  const size_t width = rows.size() ? rows.begin()->size() : 0;
  for (const auto& row : rows) {
    if (row.size() != width) throw ShapeError("tensor: rows of different lengths");
    flat.insert(flat.end(), row.begin(), row.end());
  }
  return from_vector(flat, {static_cast<int64_t>(rows.size()), static_cast<int64_t>(width)});
}
// Throws ValueError for a value that an integer dtype does not hold.
Tensor full(const Shape& shape, const Number& value, DType dtype = kF32);
Tensor zeros(const Shape& shape, DType dtype = kF32);
Tensor ones(const Shape& shape, DType dtype = kF32);
Tensor zeros_like(const Tensor& x, Where where = Where::current());
Tensor ones_like(const Tensor& x, Where where = Where::current());
// start, start + step, ... below stop; i64 unless said, which start and step must then be whole
// for.
Tensor arange(const Number& start, const Number& stop, const Number& step = 1, DType dtype = kI64);
Tensor arange(const Number& stop, DType dtype = kI64);  // from 0
// `count` values from start to stop, both included; rounded down for integers.
Tensor linspace(double start, double stop, int64_t count, DType dtype = kF32);
Tensor eye(int64_t n, DType dtype = kF32);

// ---- Evaluation -----------------------------------------------------------------------------

// Computes these now. A hint: no program needs it to be right.
void eval(const std::vector<Tensor>& tensors, Where where = Where::current());
inline void eval(const Tensor& t, Where where = Where::current()) {
  eval(std::vector<Tensor>{t}, where);
}

// A tensor with the same value for which gradients() may be asked.
Tensor trainable(const Tensor& x, Where where = Where::current());
// The same value, cut from the graph that made it.
Tensor stop_gradient(const Tensor& x, Where where = Where::current());

// While one lives, nothing recorded by this thread requires a gradient.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool previous_;
};

// ---- Trainable and running state ------------------------------------------------------------

// A named place whose value changes over time: a model's weight or a running statistic. It is a
// value: copying makes an independent place with the same value (sharing memory until one
// changes), moving keeps the identity that an optimizer knows, assigning sets the value. The value
// may be read while another thread sets it or steps: it is then the old or the new one.
class Variable {
 public:
  struct Cell;  // private: src/core/variable.cpp

  Variable() = default;
  Variable(const Tensor& value, bool trainable, Where where = Where::current());
  Variable(const Variable& other);
  Variable(Variable&& other) noexcept = default;
  Variable& operator=(const Variable& other);
  Variable& operator=(Variable&& other) noexcept = default;
  ~Variable() = default;

  bool defined() const { return cell_ != nullptr; }
  Tensor tensor(Where where = Where::current()) const;
  // An undefined tensor while undefined: such as the bias of a layer that has none.
  operator Tensor() const;
  Shape shape(Where where = Where::current()) const { return tensor(where).shape(); }
  DType dtype(Where where = Where::current()) const { return tensor(where).dtype(); }
  bool trainable() const;
  // Freezes or unfreezes: a frozen variable gets no gradient.
  void set_trainable(bool on);
  // Replaces the value; its shape must stay. The history behind the old value ends.
  void set(Tensor value, Where where = Where::current()) const;
  // The same for a value of any shape and dtype.
  void replace(Tensor value, Where where = Where::current()) const;

  // A second handle on the same place.
  Variable alias() const;
  bool same_place(const Variable& other) const { return cell_ == other.cell_; }
  Cell* cell() const { return cell_.get(); }  // private to the library

 private:
  std::shared_ptr<Cell> cell_;
};

// A weight that an optimizer changes.
class Parameter : public Variable {
 public:
  Parameter() = default;
  Parameter(const Tensor& value, Where where = Where::current()) : Variable(value, true, where) {}
  Parameter& operator=(const Tensor& value) {
    if (defined())
      set(value, {});
    else
      *this = Parameter(value, {});
    return *this;
  }
  // A second handle on the same place: `out.weight = in.weight.alias()` ties two layers.
  Parameter alias() const { return Parameter(Variable::alias()); }

 private:
  explicit Parameter(Variable&& place) : Variable(std::move(place)) {}
};

// State that is saved with a model but not trained, such as running_mean.
class Buffer : public Variable {
 public:
  Buffer() = default;
  Buffer(const Tensor& value, Where where = Where::current()) : Variable(value, false, where) {}
  Buffer& operator=(const Tensor& value) {
    if (defined())
      set(value, {});
    else
      *this = Buffer(value, {});
    return *this;
  }
  Buffer alias() const { return Buffer(Variable::alias()); }

 private:
  explicit Buffer(Variable&& place) : Variable(std::move(place)) {}
};

// Handles on a model's parameters, as Module::parameters() gives them: the places, not copies.
class ParameterList {
 public:
  ParameterList() = default;
  void push_back(const Variable& v) { places_.push_back(v.alias()); }
  size_t size() const { return places_.size(); }
  bool empty() const { return places_.empty(); }
  const Variable& operator[](size_t i) const { return places_[i]; }
  auto begin() const { return places_.begin(); }
  auto end() const { return places_.end(); }
  // The values they have now.
  std::vector<Tensor> tensors() const;
  operator std::vector<Tensor>() const { return tensors(); }
  // The same places as a new list.
  ParameterList(const ParameterList& other);
  ParameterList(ParameterList&&) noexcept = default;
  ParameterList& operator=(const ParameterList& other);
  ParameterList& operator=(ParameterList&&) noexcept = default;
  ~ParameterList() = default;

 private:
  std::vector<Variable> places_;
};

// Values by name, in order: what models and optimizers save and load.
using StateDict = std::vector<std::pair<std::string, Tensor>>;

// Computes every variable this thread has set and not yet read, in one plan together with what
// else they share: what Optimizer::step ends with. When that throws, variables whose new value was
// made from the old one have the old one again.
void eval_variables();

// ---- Indexing -------------------------------------------------------------------------------

// start:stop:step as in NumPy; unset ends mean "to the end", negative ones count from it.
struct Slice {
  static constexpr int64_t kNone = INT64_MIN;
  int64_t start = kNone, stop = kNone, step = 1;
};
struct EllipsisType {};
struct NewAxisType {};
inline constexpr EllipsisType Ellipsis;
inline constexpr NewAxisType NewAxis;

// One entry of x[{...}]: an integer, a Slice, Ellipsis, NewAxis, or an integer or bool tensor.
class Index {
 public:
  enum class Kind { kInteger, kSlice, kEllipsis, kNewAxis, kTensor };
  template <class T, class = std::enable_if_t<std::is_integral_v<T>>>
  Index(T i) : kind_(Kind::kInteger), slice_{Number(i).is_exact() ? int64_t(i) : INT64_MAX, 0, 1} {}
  Index(Slice s) : kind_(Kind::kSlice), slice_(s) {}
  Index(EllipsisType) : kind_(Kind::kEllipsis) {}
  Index(NewAxisType) : kind_(Kind::kNewAxis) {}
  Index(const Tensor& t) : kind_(Kind::kTensor), tensor_(t) {}
  Kind kind() const { return kind_; }
  int64_t integer() const { return slice_.start; }
  const Slice& slice() const { return slice_; }
  const Tensor& tensor() const { return tensor_; }

 private:
  Kind kind_;
  Slice slice_;
  Tensor tensor_;
};

// x[2, 1:5, ..., None, mask] of NumPy: index(x, {2, Slice{1, 5}, Ellipsis, NewAxis, mask}).
// A bool tensor's positions are read at once, since the result's shape depends on them.
Tensor index(const Tensor& x, const std::vector<Index>& at,
             std::source_location where = std::source_location::current());
// A copy of x with the part that index() would give replaced by `value`, broadcast to it.
Tensor index_update(const Tensor& x, const std::vector<Index>& at, const Tensor& value,
                    std::source_location where = std::source_location::current());

}  // namespace glia
