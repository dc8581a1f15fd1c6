// Transforms.
#include <fmt/format.h>

#include <cmath>

#include "math/distributions/map.h"

namespace glia::distributions {
namespace {

struct AffineMap : Map {
  AffineMap(const Operand& loc, const Operand& scale)
      : Map("AffineTransform"),
        given("AffineTransform", Support::kReal, {{"loc", &loc}, {"scale", &scale}}) {
    if (scale.is_scalar() && scale.number().value() == 0)
      throw ValueError("AffineTransform: scale is 0", scale.where());
    slope = this->scale();
  }
  Law given;
  const Tensor& loc() const { return given[0]; }
  const Tensor& scale() const { return given[1]; }
  Tensor forward(const Tensor& x) const override { return loc() + scale() * x; }
  Tensor backward(const Tensor& y) const override { return (y - loc()) / scale(); }
  Tensor log_slope(const Tensor& x, const Tensor&) const override {
    const Tensor l = log(abs(scale()));
    return expand(l, broadcast(l.shape(), x.shape()));
  }
  bool equals(const Map& other) const override {
    const auto* o = dynamic_cast<const AffineMap*>(&other);
    return o && equal(loc(), o->loc()) && equal(scale(), o->scale());
  }
};

struct ExpMap : Map {
  ExpMap() : Map("ExpTransform") {}
  Tensor forward(const Tensor& x) const override { return exp(x); }
  Tensor backward(const Tensor& y) const override { return log(y); }
  Tensor log_slope(const Tensor& x, const Tensor&) const override { return x; }
};

struct PowerMap : Map {
  explicit PowerMap(const Operand& exponent)
      : Map("PowerTransform"), given("PowerTransform", Support::kReal, {{"exponent", &exponent}}) {
    if (exponent.is_scalar() && exponent.number().value() == 0)
      throw ValueError("PowerTransform: exponent is 0", exponent.where());
    slope = this->exponent();
  }
  Law given;
  const Tensor& exponent() const { return given[0]; }
  Tensor forward(const Tensor& x) const override { return pow(x, exponent()); }
  Tensor backward(const Tensor& y) const override { return pow(y, 1 / exponent()); }
  Tensor log_slope(const Tensor& x, const Tensor&) const override {
    return log(abs(exponent())) + (exponent() - 1) * log(x);
  }
  bool equals(const Map& other) const override {
    const auto* o = dynamic_cast<const PowerMap*>(&other);
    return o && equal(exponent(), o->exponent());
  }
};

struct SigmoidMap : Map {
  SigmoidMap() : Map("SigmoidTransform") {}
  Tensor forward(const Tensor& x) const override { return sigmoid(x); }
  Tensor backward(const Tensor& y) const override { return log(y) - log1p(-y); }
  Tensor log_slope(const Tensor& x, const Tensor&) const override {
    return log_sigmoid(x) + log_sigmoid(-x);
  }
};

struct TanhMap : Map {
  TanhMap() : Map("TanhTransform") {}
  Tensor forward(const Tensor& x) const override { return tanh(x); }
  Tensor backward(const Tensor& y) const override { return atanh(y); }
  // log(1 - tanh^2).
  Tensor log_slope(const Tensor& x, const Tensor&) const override {
    return 2 * (std::log(2.0) - x - softplus(-2 * x));
  }
};

struct SoftplusMap : Map {
  SoftplusMap() : Map("SoftplusTransform") {}
  Tensor forward(const Tensor& x) const override { return softplus(x); }
  Tensor backward(const Tensor& y) const override { return y + log(-expm1(-y)); }
  Tensor log_slope(const Tensor& x, const Tensor&) const override { return log_sigmoid(x); }
};

// z[k] = sigmoid(x[k] - log(K - 1 - k)), y[k] = z[k] times what is left of the stick.
struct StickBreakingMap : Map {
  StickBreakingMap() : Map("StickBreakingTransform", 1, 1) {}
  static Tensor offset(int64_t n, DType dtype) {
    return log(cast(n - arange(0, n, 1, dtype), dtype));
  }
  Tensor forward(const Tensor& x) const override {
    const Tensor shifted = x - offset(x.size(-1), x.dtype());
    const Tensor left = cumsum(log_sigmoid(-shifted), -1);
    std::vector<std::pair<int64_t, int64_t>> before(static_cast<size_t>(x.rank()), {0, 0}),
        behind = before;
    before.back() = {1, 0};
    behind.back() = {0, 1};
    return exp(pad(log_sigmoid(shifted), behind) + pad(left, before));
  }
  Tensor backward(const Tensor& y) const override {
    const Tensor first = slice(y, -1, {Slice::kNone, -1});
    const Tensor left = 1 - cumsum(first, -1);
    return log(first) - log(left) + offset(first.size(-1), y.dtype());
  }
  Tensor log_slope(const Tensor& x, const Tensor& y) const override {
    const Tensor shifted = x - offset(x.size(-1), x.dtype());
    return sum(log(slice(y, -1, {Slice::kNone, -1})) - shifted + log_sigmoid(shifted), {-1});
  }
  Shape event_after(const Shape& event) const override { return longer(event, 1); }
  Shape event_before(const Shape& event) const override { return longer(event, -1); }
  static Shape longer(Shape event, int64_t by) {
    event[event.rank() - 1] += by;
    return event;
  }
};

struct LowerCholeskyMap : Map {
  LowerCholeskyMap() : Map("LowerCholeskyTransform", 2, 2) {}
  static Tensor diagonal_of(const Tensor& x) { return diagonal(x, 0, -2, -1); }
  Tensor forward(const Tensor& x) const override {
    return tril(x, -1) + diag_embed(exp(diagonal_of(x)));
  }
  Tensor backward(const Tensor& y) const override {
    return tril(y, -1) + diag_embed(log(diagonal_of(y)));
  }
  Tensor log_slope(const Tensor& x, const Tensor&) const override {
    return sum(diagonal_of(x), {-1});
  }
};

struct InverseMap : Map {
  explicit InverseMap(const Transform& of)
      : Map("inverse of " + of.name(), of.codomain_rank(), of.domain_rank()), of(of) {
    slope = of.map().slope;
  }
  Transform of;
  Tensor forward(const Tensor& x) const override { return of.map().backward(x); }
  Tensor backward(const Tensor& y) const override { return of.map().forward(y); }
  Tensor log_slope(const Tensor& x, const Tensor& y) const override {
    return -of.map().log_slope(y, x);
  }
  Shape event_after(const Shape& event) const override { return of.map().event_before(event); }
  Shape event_before(const Shape& event) const override { return of.map().event_after(event); }
  bool equals(const Map& other) const override {
    const auto* o = dynamic_cast<const InverseMap*>(&other);
    return o && of.map().equals(o->of.map());
  }
};

struct ComposedMap : Map {
  explicit ComposedMap(const std::vector<Transform>& parts)
      : Map("ComposeTransform"), parts(parts) {
    for (const Transform& p : parts) {
      domain = std::max(domain, p.domain_rank());
      codomain = std::max(codomain, p.codomain_rank());
      if (const Tensor& s = p.map().slope; s.defined()) slope = slope.defined() ? slope * s : s;
    }
    domain = codomain = std::max(domain, codomain);
  }
  std::vector<Transform> parts;
  Tensor forward(const Tensor& x) const override {
    Tensor y = x;
    for (const Transform& p : parts) y = p.map().forward(y);
    return y;
  }
  Tensor backward(const Tensor& y) const override {
    Tensor x = y;
    for (auto p = parts.rbegin(); p != parts.rend(); ++p) x = p->map().backward(x);
    return x;
  }
  Tensor log_slope(const Tensor& x, const Tensor&) const override {
    Tensor from = x, all = zeros(front_of(x.shape(), domain), x.dtype());
    for (const Transform& p : parts) {
      const Tensor to = p.map().forward(from);
      all = all + sum_last(p.map().log_slope(from, to), domain - p.domain_rank());
      from = to;
    }
    return all;
  }
  Shape event_after(const Shape& event) const override {
    Shape out = event;
    for (const Transform& p : parts) out = p.map().event_after(out);
    return out;
  }
  Shape event_before(const Shape& event) const override {
    Shape out = event;
    for (auto p = parts.rbegin(); p != parts.rend(); ++p) out = p->map().event_before(out);
    return out;
  }
  bool equals(const Map& other) const override {
    const auto* o = dynamic_cast<const ComposedMap*>(&other);
    return o && same(parts, o->parts);
  }
};

template <class M, class... A>
std::shared_ptr<const Map> mapped(A&&... arguments) {
  return std::make_shared<const M>(std::forward<A>(arguments)...);
}

const Tensor& checked(const Map& map, const Tensor& x, int rank, const char* what) {
  if (!x.defined()) throw ShapeError(map.name + ": the tensor is not defined");
  if (x.rank() < rank)
    throw ShapeError(
        fmt::format("{}: {} is {}, of a rank below {}", map.name, what, x.shape().str(), rank));
  return x;
}

}  // namespace

bool same(const std::vector<Transform>& a, const std::vector<Transform>& b) {
  bool all = a.size() == b.size();
  for (size_t i = 0; all && i < a.size(); ++i) all = a[i].map().equals(b[i].map());
  return all;
}

const std::string& Transform::name() const { return map_->name; }
Tensor Transform::operator()(const Tensor& x) const {
  return map_->forward(checked(*map_, x, map_->domain, "x"));
}
Tensor Transform::inverse(const Tensor& y) const {
  return map_->backward(checked(*map_, y, map_->codomain, "y"));
}
Tensor Transform::log_abs_det_jacobian(const Tensor& x, const Tensor& y) const {
  return map_->log_slope(checked(*map_, x, map_->domain, "x"),
                         checked(*map_, y, map_->codomain, "y"));
}
int Transform::domain_rank() const { return map_->domain; }
int Transform::codomain_rank() const { return map_->codomain; }
Transform Transform::inv() const { return Transform(mapped<InverseMap>(*this)); }

AffineTransform::AffineTransform(const Operand& loc, const Operand& scale)
    : Transform(mapped<AffineMap>(loc, scale)) {}
ExpTransform::ExpTransform() : Transform(mapped<ExpMap>()) {}
PowerTransform::PowerTransform(const Operand& exponent) : Transform(mapped<PowerMap>(exponent)) {}
SigmoidTransform::SigmoidTransform() : Transform(mapped<SigmoidMap>()) {}
TanhTransform::TanhTransform() : Transform(mapped<TanhMap>()) {}
SoftplusTransform::SoftplusTransform() : Transform(mapped<SoftplusMap>()) {}
StickBreakingTransform::StickBreakingTransform() : Transform(mapped<StickBreakingMap>()) {}
LowerCholeskyTransform::LowerCholeskyTransform() : Transform(mapped<LowerCholeskyMap>()) {}
ComposeTransform::ComposeTransform(const std::vector<Transform>& parts)
    : Transform(mapped<ComposedMap>(parts)) {}

}  // namespace glia::distributions
