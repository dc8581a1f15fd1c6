// Recording of elementwise operations: their shape rule and, from the table, their gradients.
#include "ops/elementwise.h"

#include <cmath>

#include "core/op.h"
#include "glia/ops.h"
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

#define NONE Tensor()
#define UNARY(code, domain, value, gradient)                             \
  void vjp_##code(Vjp& v) {                                              \
    [[maybe_unused]] const Borrowed x(v.node().inputs[0]), y(&v.node()); \
    [[maybe_unused]] const Tensor& g = v.g();                            \
    v.set(0, gradient);                                                  \
  }
#define BINARY(code, domain, value, gradient_a, gradient_b)                                     \
  void vjp_##code(Vjp& v) {                                                                     \
    [[maybe_unused]] const Borrowed a(v.node().inputs[0]), b(v.node().inputs[1]), y(&v.node()); \
    [[maybe_unused]] const Tensor& g = v.g();                                                   \
    if (v.needs(0)) v.set(0, gradient_a);                                                       \
    if (v.needs(1)) v.set(1, gradient_b);                                                       \
  }
#define COMPARE(code, domain, value) constexpr void (*vjp_##code)(Vjp&) = nullptr;
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
    const auto add = [&](Code code, const char* text, Types types, void (*vjp)(Vjp&)) {
      all->push_back({{.name = nullptr,
                       .kind = Kind::kElementwise,
                       .vjp = vjp,
                       .code = static_cast<int>(code)},
                      spelled(text),
                      types});
    };
#define DOMAIN(types, low, high) Types::types
#define UNARY(code, domain, ...) add(Code::code, #code, domain, vjp_##code);
#define BINARY UNARY
#define COMPARE UNARY
#include "ops/elementwise_table.h"
#undef UNARY
#undef BINARY
#undef COMPARE
#undef DOMAIN
    add(Code::kWhere, "kWhere", Types::Any, vjp_kWhere);
    add(Code::kCast, "kCast", Types::Any, vjp_kCast);
    add(Code::kUniform, "kUniform", Types::Float, nullptr);
    for (Entry& e : *all) e.op.name = e.name.c_str();
    return all;
  }();
  return (*entries)[static_cast<size_t>(code)];
}

const bool registered = [] {
  for (int c = 0; c <= static_cast<int>(Code::kUniform); ++c) RegisterOp(entry(Code(c)).op);
  return true;
}();

DType scalar_dtype(const Operand& x) { return x.kind() == kF64 ? kF32 : x.kind(); }

// The dtype of an operation on both, a host number adopting the tensor's where it fits.
inline DType common(const Operand& a, const Operand& b) {
  if (a.is_scalar() && b.is_scalar()) return promote(scalar_dtype(a), scalar_dtype(b));
  if (!a.is_scalar() && !b.is_scalar()) {
    const DType s = a.tensor().node()->dtype, t = b.tensor().node()->dtype;
    return s == t ? s : promote(s, t);
  }
  const DType tensor = (a.is_scalar() ? b : a).tensor().dtype();
  const DType number = scalar_dtype(a.is_scalar() ? a : b);
  const auto category = [](DType t) { return t == kBool ? 0 : is_integer(t) ? 1 : 2; };
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
  In(const Operand& x, DType dtype) {
    if (!x.is_scalar() && x.tensor().node()->dtype == dtype) {
      node_ = x.tensor().node();
      return;
    }
    made_ = cast(x, dtype);
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
  const In t(x, dtype);
  return record(e.op, {t.node()}, t.shape(), dtype, {}, x.where());
}

Tensor binary(Code code, const Operand& a, const Operand& b) {
  const Entry& e = entry(code);
  require_defined(a, e);
  require_defined(b, e);
  const DType dtype = accepted(e, common(a, b), a.where());
  const In s(a, dtype), t(b, dtype);
  const bool compares = code >= Code::kLess && code <= Code::kNotEqual;
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
  const bool same = !node->is_computed() && node->inputs[0]->dtype == dtype;
  return same ? handle(node->inputs[0]) : Tensor();
}

Tensor cast(const Operand& x, DType dtype) {
  if (x.is_scalar())
    return is_float(dtype) ? host_scalar(x.value(), dtype) : host_scalar_i64(x.integer(), dtype);
  require_defined(x, entry(Code::kCast));
  const Tensor& t = x.tensor();
  if (t.dtype() == dtype) return t;
  if (Tensor narrow = before_widening(t, dtype); narrow.defined()) return narrow;
  return record(entry(Code::kCast).op, {t.node()}, t.shape(), dtype, {}, x.where());
}

Tensor where(const Operand& condition, const Operand& a, const Operand& b) {
  const Entry& e = entry(Code::kWhere);
  for (const Operand* x : {&condition, &a, &b}) require_defined(*x, e);
  const In c(condition, kBool);
  const DType dtype = common(a, b);
  const In s(a, dtype), t(b, dtype);
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

Tensor operator+(const Operand& a, const Operand& b) { return binary(Code::kAdd, a, b); }
Tensor operator-(const Operand& a, const Operand& b) { return binary(Code::kSub, a, b); }
Tensor operator*(const Operand& a, const Operand& b) { return binary(Code::kMul, a, b); }
Tensor operator/(const Operand& a, const Operand& b) { return binary(Code::kDiv, a, b); }
Tensor operator-(const Operand& x) { return unary(Code::kNeg, x); }
Tensor operator<(const Operand& a, const Operand& b) { return binary(Code::kLess, a, b); }
Tensor operator<=(const Operand& a, const Operand& b) { return binary(Code::kLessEqual, a, b); }
Tensor operator>(const Operand& a, const Operand& b) { return binary(Code::kLess, b, a); }
Tensor operator>=(const Operand& a, const Operand& b) { return binary(Code::kLessEqual, b, a); }
Tensor operator==(const Operand& a, const Operand& b) { return binary(Code::kEqual, a, b); }
Tensor operator!=(const Operand& a, const Operand& b) { return binary(Code::kNotEqual, a, b); }
Tensor operator&(const Operand& a, const Operand& b) { return binary(Code::kBitAnd, a, b); }
Tensor operator|(const Operand& a, const Operand& b) { return binary(Code::kBitOr, a, b); }
Tensor operator^(const Operand& a, const Operand& b) { return binary(Code::kBitXor, a, b); }
Tensor operator~(const Operand& x) { return unary(Code::kBitNot, x); }
Tensor& operator+=(Tensor& a, const Operand& b) { return a = a + b; }
Tensor& operator-=(Tensor& a, const Operand& b) { return a = a - b; }
Tensor& operator*=(Tensor& a, const Operand& b) { return a = a * b; }
Tensor& operator/=(Tensor& a, const Operand& b) { return a = a / b; }

Tensor pow(const Operand& base, const Operand& exponent) {
  // Cheap exact forms; an exponent given as a number is part of the program.
  if (exponent.is_scalar() && !base.is_scalar() && is_float(base.tensor().dtype())) {
    if (exponent.value() == 2) return square(base);
    if (exponent.value() == 1) return base.tensor();
    if (exponent.value() == 0.5) return sqrt(base);
    if (exponent.value() == -1) return reciprocal(base);
  }
  return binary(Code::kPow, base, exponent);
}
Tensor floor_divide(const Operand& a, const Operand& b) { return binary(Code::kFloorDivide, a, b); }
Tensor remainder(const Operand& a, const Operand& b) { return binary(Code::kRemainder, a, b); }
Tensor maximum(const Operand& a, const Operand& b) { return binary(Code::kMaximum, a, b); }
Tensor minimum(const Operand& a, const Operand& b) { return binary(Code::kMinimum, a, b); }
Tensor atan2(const Operand& y, const Operand& x) { return binary(Code::kAtan2, y, x); }
Tensor clamp(const Operand& x, double low, double high) { return minimum(maximum(x, low), high); }

Tensor abs(const Operand& x) { return unary(Code::kAbs, x); }
Tensor sign(const Operand& x) { return unary(Code::kSign, x); }
Tensor square(const Operand& x) { return unary(Code::kSquare, x); }
Tensor reciprocal(const Operand& x) { return unary(Code::kReciprocal, x); }
Tensor sqrt(const Operand& x) { return unary(Code::kSqrt, x); }
Tensor rsqrt(const Operand& x) { return unary(Code::kRsqrt, x); }
Tensor exp(const Operand& x) { return unary(Code::kExp, x); }
Tensor expm1(const Operand& x) { return unary(Code::kExpm1, x); }
Tensor log(const Operand& x) { return unary(Code::kLog, x); }
Tensor log1p(const Operand& x) { return unary(Code::kLog1p, x); }
Tensor sin(const Operand& x) { return unary(Code::kSin, x); }
Tensor cos(const Operand& x) { return unary(Code::kCos, x); }
Tensor tanh(const Operand& x) { return unary(Code::kTanh, x); }
Tensor erf(const Operand& x) { return unary(Code::kErf, x); }
Tensor sigmoid(const Operand& x) { return unary(Code::kSigmoid, x); }
Tensor relu(const Operand& x) { return unary(Code::kRelu, x); }
Tensor floor(const Operand& x) { return unary(Code::kFloor, x); }
Tensor ceil(const Operand& x) { return unary(Code::kCeil, x); }
Tensor round(const Operand& x) { return unary(Code::kRound, x); }
Tensor isnan(const Operand& x) { return x != x; }
Tensor isfinite(const Operand& x) { return x - x == 0; }
Tensor logical_not(const Operand& x) { return x == 0; }

}  // namespace glia
