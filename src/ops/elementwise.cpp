// Recording of elementwise operations: their shape rule and, from the table, their gradients.
#include "ops/elementwise.h"

#include <cmath>
#include <limits>

#include "core/op.h"
#include "core/with_dtype.h"
#include "glia/ops.h"
#include "glia/ops/special.h"
#include "ops/private.h"

namespace glia {
namespace {

enum class Types { Float, Number, Integral, Any };

struct Entry {
  Op op;
  std::string name;
  Types types;
};

// "kBitAnd" -> "bit_and"
std::string spelled(const char* code) {
  std::string out;
  for (const char* c = code + 1; *c; ++c) {
    if (std::isupper(*c) && !out.empty()) out += '_';
    out += static_cast<char>(std::tolower(*c));
  }
  return out;
}

// A tensor whose node outlives it, and which is therefore not counted.
class Borrowed {
 public:
  explicit Borrowed(const Node* node) : tensor_(Tensor::adopt(const_cast<Node*>(node))) {}
  ~Borrowed() {}
  const Tensor& tensor() const { return tensor_; }

 private:
  union {
    Tensor tensor_;
  };
};

// 1 / (a^2 + b^2), and 0 instead of infinity.
Tensor inverse_square(const Operand& a, const Operand& b) {
  const Tensor square_sum = square(a) + square(b);
  return reciprocal(where(square_sum == 0, INFINITY, square_sum));
}

// a, and 1 where pow(a, 0) has slope 0 but 0 * pow(a, -1) is no number.
Tensor sloped_base(const Operand& a, const Operand& b) {
  return where((b == 0) & ~isfinite(reciprocal(a)), 1, a);
}

#define NONE Tensor()
#define UNARY(code, function, domain, cost, value, gradient)             \
  void vjp_##code(Vjp& v) {                                              \
    [[maybe_unused]] const Borrowed x(v.node().inputs[0]), y(&v.node()); \
    [[maybe_unused]] const Tensor& g = v.g();                            \
    v.set(0, gradient);                                                  \
  }
#define BINARY(code, function, domain, cost, value, gradient_a, gradient_b)                     \
  void vjp_##code(Vjp& v) {                                                                     \
    [[maybe_unused]] const Borrowed a(v.node().inputs[0]), b(v.node().inputs[1]), y(&v.node()); \
    [[maybe_unused]] const Tensor& g = v.g();                                                   \
    if (v.needs(0)) v.set(0, gradient_a);                                                       \
    if (v.needs(1)) v.set(1, gradient_b);                                                       \
  }
#define COMPARE(code, function, domain, cost, value) constexpr void (*vjp_##code)(Vjp&) = nullptr;
#include "ops/elementwise_table.h"
#undef UNARY
#undef BINARY
#undef COMPARE

void vjp_kWhere(Vjp& v) {
  const Tensor condition = v.in(0);
  if (v.needs(1)) v.set(1, where(condition, v.g(), 0));
  if (v.needs(2)) v.set(2, where(condition, 0, v.g()));
}
void vjp_kCast(Vjp& v) { v.set(0, cast(v.g(), v.node().inputs[0]->dtype)); }

inline const Entry& entry(Code code) {
  static const std::vector<Entry>* entries = [] {
    auto* all = new std::vector<Entry>;
    const auto add = [&](Code code, const char* text, Types types, double cost, void (*vjp)(Vjp&)) {
      all->push_back({{.name = nullptr,
                       .kind = Kind::kElementwise,
                       .vjp = vjp,
                       .code = static_cast<int>(code),
                       .cost = cost},
                      spelled(text),
                      types});
    };
#define DOMAIN(types, low, high) Types::types
#define UNARY(code, function, domain, cost, ...) add(Code::code, #code, domain, cost, vjp_##code);
#define BINARY UNARY
#define COMPARE UNARY
#include "ops/elementwise_table.h"
#undef UNARY
#undef BINARY
#undef COMPARE
#undef DOMAIN
    add(Code::kWhere, "kWhere", Types::Any, 1, vjp_kWhere);
    add(Code::kCast, "kCast", Types::Any, 1, vjp_kCast);
    add(Code::kUniform, "kUniform", Types::Float, 50, nullptr);
    all->back().op.draws = true;
    for (Entry& e : *all) e.op.name = e.name.c_str();
    return all;
  }();
  return (*entries)[static_cast<size_t>(code)];
}

const bool registered = [] {
  for (int c = 0; c <= static_cast<int>(Code::kUniform); ++c) RegisterOp(entry(Code(c)).op);
  return true;
}();

DType scalar_dtype(const Operand& x) { return x.number().is_integer() ? x.number().kind() : kF32; }

int category(DType t) { return t == kBool ? 0 : is_integer(t) ? 1 : 2; }

// The dtype of an operation on both, a host number adopting the tensor's where it fits.
[[gnu::always_inline]] inline DType common(const Operand& a, const Operand& b) {
  if (!a.is_scalar() && !b.is_scalar()) {
    const DType s = a.tensor().node()->dtype, t = b.tensor().node()->dtype;
    return s == t ? s : promote(s, t);
  }
  if (a.is_scalar() && b.is_scalar()) return promote(scalar_dtype(a), scalar_dtype(b));
  const DType tensor = (a.is_scalar() ? b : a).tensor().dtype();
  const DType number = scalar_dtype(a.is_scalar() ? a : b);
  return category(number) > category(tensor) ? number : tensor;
}

// The dtype that the op computes in when given this one.
inline DType accepted(const Entry& e, DType t, const Where& where) {
  switch (e.types) {
    case Types::Float:
      return is_float(t) ? t : kF32;
    case Types::Number:
      return t == kBool ? kI64 : t;
    case Types::Integral:
      if (is_float(t)) fail(e.op.name, std::string("not defined for ") + name(t), where);
      return t;
    case Types::Any:
      return t;
  }
  return t;
}

inline void require_defined(const Operand& x, const Entry& e) {
  if (!x.is_scalar() && !x.tensor().defined())
    fail(e.op.name, "an operand is not defined", x.where());
}

// An operand in the dtype an op computes in; a tensor that has it already is not even copied.
class In {
 public:
  In(const Entry& e, const Operand& x, DType dtype) {
    if (!x.is_scalar() && x.tensor().node()->dtype == dtype) {
      node_ = x.tensor().node();
      return;
    }
    made_ = x.is_scalar() ? host_number(e.op.name, x.number(), dtype, x.where()) : cast(x, dtype);
    node_ = made_.node();
  }
  Node* node() const { return node_; }
  const Shape& shape() const { return node_->shape; }

 private:
  Tensor made_;
  Node* node_;
};

Shape checked_broadcast(const Entry& e, const Shape& a, const Shape& b, const Where& where) {
  try {
    return broadcast(a, b);
  } catch (const ShapeError& error) {
    fail(e.op.name, error.what(), where);
  }
}

// The shape of both together, made in `room` if it is neither's.
inline const Shape& joined(const Entry& e, const In& a, const In& b, const Where& where,
                           Shape* room) {
  if (a.shape() == b.shape()) return a.shape();
  return *room = checked_broadcast(e, a.shape(), b.shape(), where);
}

Tensor unary(Code code, const Operand& x) {
  const Entry& e = entry(code);
  require_defined(x, e);
  const DType given = x.is_scalar() ? scalar_dtype(x) : x.tensor().dtype();
  const DType dtype = accepted(e, given, x.where());
  const In t(e, x, dtype);
  return record(e.op, {t.node()}, t.shape(), dtype, {}, x.where());
}

// A tensor of integers or bools and a host number, in either order, compared as the numbers that
// they are: the tensor's dtype need not hold the other.
Tensor compare_with_number(Code code, const Operand& a, const Operand& b) {
  const Entry& e = entry(code);
  const bool number_first = a.is_scalar();
  const Operand& x = number_first ? b : a;
  const Number& n = (number_first ? a : b).number();
  const DType dtype = x.tensor().dtype();
  const auto always = [&](bool truth) {
    return expand(host_scalar(truth, kBool), x.tensor().shape(), x.where());
  };
  // Next to integers a fraction is the integer above or below it, and equal to none.
  const bool equality = code == Code::kEqual || code == Code::kNotEqual;
  const bool down = (code == Code::kLess) == number_first;
  const double whole = down ? std::floor(n.value()) : std::ceil(n.value());
  if (!n.is_integer() && (whole != whole || (equality && whole != n.value())))
    return always(code == Code::kNotEqual);
  const Number bound = n.is_integer() ? n : Number(whole);
  const int64_t low = lowest_of(dtype), high = highest_of(dtype);
  if (n.is_exact() ? !lies_within(n.integer(), low, high)
                   : !lies_within(bound.value(), low, high)) {
    const bool above = bound.value() > 0;
    return always(equality ? code == Code::kNotEqual : above != number_first);
  }
  const Tensor limit = host_number(e.op.name, bound, dtype, x.where());
  Node* const inputs[] = {number_first ? limit.node() : x.tensor().node(),
                          number_first ? x.tensor().node() : limit.node()};
  return record(e.op, inputs, x.tensor().shape(), kBool, {}, a.where());
}

Tensor binary(Code code, const Operand& a, const Operand& b) {
  const Entry& e = entry(code);
  require_defined(a, e);
  require_defined(b, e);
  const bool compares = code >= Code::kLess && code <= Code::kNotEqual;
  if (compares && a.is_scalar() != b.is_scalar() &&
      !is_float((a.is_scalar() ? b : a).tensor().node()->dtype))
    return compare_with_number(code, a, b);
  const DType dtype = accepted(e, common(a, b), a.where());
  const In s(e, a, dtype), t(e, b, dtype);
  Shape room;
  const Shape& shape = joined(e, s, t, a.where(), &room);
  return record(e.op, {s.node(), t.node()}, shape, compares ? kBool : dtype, {}, a.where());
}

}  // namespace

const Op& elementwise_op(Code code) { return entry(code).op; }

Tensor record_uniform(const Shape& shape, DType dtype, const Tensor& key) {
  return record(entry(Code::kUniform).op, {key.node()}, shape, dtype, {}, {});
}

// Whether every value of one float type is one of the other.
bool widens(DType from, DType to) {
  return is_float(from) && is_float(to) && size_of(from) < size_of(to);
}

// What was cast to this, if it is not computed yet, has the asked dtype and lost nothing.
Tensor before_widening(const Tensor& t, DType dtype) {
  Node* const node = t.node();
  if (node->op != &entry(Code::kCast).op || !widens(dtype, node->dtype)) return {};
  std::lock_guard hold(graph_lock());
  const bool same = node->is_pending() && node->inputs[0]->dtype == dtype;
  return same ? handle(node->inputs[0]) : Tensor();
}

Tensor cast(const Operand& x, DType dtype) {
  if (x.is_scalar()) return host_number("cast", x.number(), dtype, x.where());
  require_defined(x, entry(Code::kCast));
  const Tensor& t = x.tensor();
  if (t.dtype() == dtype) return t;
  if (Tensor narrow = before_widening(t, dtype); narrow.defined()) return narrow;
  return record(entry(Code::kCast).op, {t.node()}, t.shape(), dtype, {}, x.where());
}

Tensor where(const Operand& condition, const Operand& a, const Operand& b) {
  const Entry& e = entry(Code::kWhere);
  for (const Operand* x : {&condition, &a, &b}) require_defined(*x, e);
  const In c(e, condition, kBool);
  const DType dtype = common(a, b);
  const In s(e, a, dtype), t(e, b, dtype);
  Shape room;
  const Shape& values = joined(e, s, t, a.where(), &room);
  Shape shape = values;
  if (c.shape() != values) {
    try {
      shape = broadcast(c.shape(), values);
    } catch (const ShapeError& error) {
      fail(e.op.name, std::string("condition: ") + error.what(), condition.where());
    }
  }
  return record(e.op, {c.node(), s.node(), t.node()}, shape, dtype, {}, condition.where());
}

// general_pow is pow() without its cheap forms.
#define UNARY(code, function, ...) \
  Tensor function(const Operand& x) { return unary(Code::code, x); }
#define BINARY(code, function, ...) \
  Tensor function(const Operand& a, const Operand& b) { return binary(Code::code, a, b); }
#define COMPARE BINARY
#include "ops/elementwise_table.h"
#undef UNARY
#undef BINARY
#undef COMPARE
Tensor operator>(const Operand& a, const Operand& b) { return binary(Code::kLess, b, a); }
Tensor operator>=(const Operand& a, const Operand& b) { return binary(Code::kLessEqual, b, a); }

namespace {

// What `a` becomes by an assignment of `value`: it keeps its shape and dtype, and takes no value of
// another kind, bool, integer or float.
Tensor& assign(Tensor& a, const char* op, const Tensor& value, const Where& where) {
  if (value.shape() != a.shape())
    fail(op, "a tensor of shape " + a.shape().str() + " cannot become " + value.shape().str(),
         where);
  if (category(value.dtype()) > category(a.dtype()))
    fail(op,
         std::string("a tensor of ") + name(a.dtype()) + " cannot become " + name(value.dtype()),
         where);
  return a = cast(value, a.dtype());
}

}  // namespace

Tensor& operator+=(Tensor& a, const Operand& b) {
  return assign(a, "+=", Operand(a, b.where()) + b, b.where());
}
Tensor& operator-=(Tensor& a, const Operand& b) {
  return assign(a, "-=", Operand(a, b.where()) - b, b.where());
}
Tensor& operator*=(Tensor& a, const Operand& b) {
  return assign(a, "*=", Operand(a, b.where()) * b, b.where());
}
Tensor& operator/=(Tensor& a, const Operand& b) {
  return assign(a, "/=", Operand(a, b.where()) / b, b.where());
}

Tensor pow(const Operand& base, const Operand& exponent) {
  // Cheap forms; an exponent given as a number is part of the program.
  if (exponent.is_scalar() && !base.is_scalar() && base.tensor().defined()) {
    const double power = exponent.number().value();
    if (is_float(base.tensor().dtype())) {
      if (power == 2) return square(base);
      if (power == 1) return base.tensor();
      if (power == 0.5) return sqrt(base);
      if (power == -0.5) return rsqrt(base);
      if (power == -1) return reciprocal(base);
    } else if (exponent.number().is_integer() && power < 0) {
      throw ValueError("pow: integers have no power of " + exponent.number().str(),
                       exponent.where());
    }
  }
  return general_pow(base, exponent);
}

namespace {
// clamp(x, low, high) where both bounds are numbers: the gradient is whole at the ends. Tensors
// share it at ties.
std::vector<Tensor> compose_clamp(const Recorded&, std::span<const Tensor> in) {
  return {minimum(maximum(in[0], in[1]), in[2])};
}
void vjp_clamp(Vjp& v) {
  const Tensor x = v.in(0);
  v.set(0, where((x >= v.in(1)) & (x <= v.in(2)), v.g(), 0));
}
const Op kClamp{.name = "clamp",
                .kind = Kind::kMacro,
                .vjp = vjp_clamp,
                .batch = batch_elementwise,
                .compose = compose_clamp};
const RegisterOp registered_clamp(kClamp);
}  // namespace

Tensor clamp(const Operand& x, const Operand& low, const Operand& high) {
  if (!x.is_scalar()) glia::require_defined("clamp", x.tensor(), x.where());
  if (x.is_scalar() || !low.is_scalar() || !high.is_scalar() || !is_float(x.tensor().dtype()))
    return minimum(maximum(x, low), high);
  const Tensor& t = x.tensor();
  const auto bound = [&](const Operand& number) {
    return host_number("clamp", number.number(), t.dtype(), x.where());
  };
  return record(kClamp, {t.node(), bound(low).node(), bound(high).node()}, t.shape(), t.dtype(), {},
                x.where());
}

Tensor isnan(const Operand& x) { return x != x; }
Tensor isfinite(const Operand& x) { return x - x == 0; }

namespace {
double largest_number(DType t) {
  switch (t) {
    case kF16:
      return 65504;
    case kBF16:
      return 0x1.fep127;
    case kF32:
      return std::numeric_limits<float>::max();
    default:
      return std::numeric_limits<double>::max();
  }
}
}  // namespace

Tensor nan_to_num(const Operand& x, double nan, std::optional<double> posinf,
                  std::optional<double> neginf) {
  if (!x.is_scalar() && x.tensor().defined() && !is_float(x.tensor().dtype())) return x.tensor();
  const Tensor t = as_float("nan_to_num", x);
  const double largest = largest_number(t.dtype());
  const Tensor low = where(t == -INFINITY, neginf.value_or(-largest), t);
  return where(isnan(t), nan, where(t == INFINITY, posinf.value_or(largest), low));
}
Tensor logical_not(const Operand& x) {
  const bool is_bool = !x.is_scalar() && x.tensor().defined() && x.tensor().dtype() == kBool;
  return is_bool ? ~x : x == 0;
}

}  // namespace glia
