#include "glia/classic/gaussian_process_kernels.h"

#include <algorithm>
#include <boost/math/special_functions/bessel.hpp>
#include <cmath>
#include <numbers>

#include "checks.h"
#include "glia/classic/estimator.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "glia/parallel.h"
#include "kernel_node.h"

namespace glia::classic {

using detail::Hyperparameter;
using detail::KernelForm;
using detail::KernelKind;
using detail::KernelNode;
using NodePtr = std::shared_ptr<const KernelNode>;
using Vector = std::vector<double>;

const std::vector<KernelForm>& detail::kernel_forms() {
  static const std::vector<KernelForm> forms = {
      {KernelKind::kConstant, "ConstantKernel", {"constant_value"}},
      {KernelKind::kWhite, "WhiteKernel", {"noise_level"}},
      {KernelKind::kRBF, "RBF", {"length_scale"}},
      {KernelKind::kMatern, "Matern", {"length_scale"}},
      {KernelKind::kRationalQuadratic, "RationalQuadratic", {"alpha", "length_scale"}},
      {KernelKind::kExpSineSquared, "ExpSineSquared", {"length_scale", "periodicity"}},
      {KernelKind::kDotProduct, "DotProduct", {"sigma_0"}}};
  return forms;
}

NodePtr detail::checked(KernelNode node, Where where) {
  const auto positive = [](double x) { return x > 0 && std::isfinite(x); };
  const auto fail = [&](const std::string& name, double value) {
    throw ValueError("a kernel's " + name + " is above 0, not " + to_text(ParamValue(value)),
                     where);
  };
  for (const Hyperparameter& h : node.own) {
    for (const double x : h.value)
      if (!positive(x)) fail(h.name, x);
    const bool several = node.kind == KernelKind::kRBF || node.kind == KernelKind::kMatern;
    if (h.value.empty() || (h.value.size() > 1 && !several))
      throw ValueError(
          "a kernel's " + h.name + " has " + std::to_string(h.value.size()) + " values", where);
    if (h.bounds.fixed) continue;
    if (!positive(h.bounds.low)) fail(h.name + "_bounds", h.bounds.low);
    if (!positive(h.bounds.high)) fail(h.name + "_bounds", h.bounds.high);
    if (h.bounds.low > h.bounds.high)
      throw ValueError("a kernel's " + h.name + "_bounds are the wrong way round", where);
  }
  if (node.kind == KernelKind::kMatern && !(node.number > 0)) fail("nu", node.number);
  if (node.kind == KernelKind::kMatern && node.number > 30 && !std::isinf(node.number))
    throw ValueError("a kernel's nu is at most 30, or infinite: RBF", where);
  return std::make_shared<const KernelNode>(std::move(node));
}

namespace {

// Squared distances of rows of x and y, each feature divided by its scale.
Tensor squared_distances(const Tensor& x, const Tensor& y, const Vector& scale) {
  const int64_t n = x.size(0), m = y.size(0), d = x.size(1);
  const auto a = x.to_vector<double>(), b = y.to_vector<double>();
  Vector out(static_cast<size_t>(n * m));
  parallel_for(n, [&](int64_t i) {
    for (int64_t j = 0; j < m; ++j) {
      double sum = 0;
      for (int64_t f = 0; f < d; ++f) {
        const double rest = (a[i * d + f] - b[j * d + f]) / scale[scale.size() == 1 ? 0 : f];
        sum += rest * rest;
      }
      out[i * m + j] = sum;
    }
  });
  return from_vector(out, {n, m});
}

// The squared distances along one feature.
Tensor along(const Tensor& x, int64_t feature, double scale) {
  const Tensor column = index(x, {Slice{}, feature}) / scale;
  return square(unsqueeze(column, 1) - unsqueeze(column, 0));
}

// Of distances r: Matern's function, and how it changes with r^2, times -2.
struct Radial {
  Tensor value, slope;
};
Radial matern(const Tensor& squares, double nu) {
  const Tensor r = sqrt(squares);
  if (nu == 0.5) {
    const Tensor e = exp(-r);
    return {e, where(r > 0, e / where(r > 0, r, 1), 0)};
  }
  if (nu == 1.5) {
    const Tensor s = std::sqrt(3.0) * r, e = exp(-s);
    return {(1 + s) * e, 3 * e};
  }
  if (nu == 2.5) {
    const Tensor s = std::sqrt(5.0) * r, e = exp(-s);
    return {(1 + s + square(s) / 3) * e, 5.0 / 3 * (1 + s) * e};
  }
  if (std::isinf(nu)) {
    const Tensor e = exp(-0.5 * squares);
    return {e, e};
  }
  // 2^(1-nu) / Gamma(nu) s^nu K_nu(s) of s = sqrt(2 nu) r, whose derivative is -s^nu K_(nu-1)(s).
  Vector value = r.to_vector<double>(), slope = value;
  const double log_factor = (1 - nu) * std::numbers::ln2 - std::lgamma(nu);
  parallel_for(r.size(0), [&](int64_t i) {
    for (int64_t at = i * r.size(1); at < (i + 1) * r.size(1); ++at) {
      const double s = std::sqrt(2 * nu) * value[at];
      const auto of = [&](double order, double power) {
        if (s > 700) return 0.0;
        return std::exp(log_factor + power * std::log(s)) *
               boost::math::cyl_bessel_k(std::abs(order), s);
      };
      const bool near = s < 1e-7;  // where it is 1, up to rounding
      value[at] = near ? 1 : of(nu, nu);
      slope[at] = s == 0 ? 0 : near && nu > 1 ? nu / (nu - 1) : 2 * nu * of(nu - 1, nu - 1);
    }
  });
  return {from_vector(value, r.shape()), from_vector(slope, r.shape())};
}

// A kernel at x and y, or at x alone, with derivatives by its hyperparameters' logarithms if asked
// for.
struct Evaluation {
  const Tensor& x;
  const Tensor& y;  // undefined: x with itself
  bool derivatives = false;

  const Tensor& other() const { return y.defined() ? y : x; }

  Kernel::Gradient of(const KernelNode& node) const {
    switch (node.kind) {
      case KernelKind::kSum: {
        Kernel::Gradient a = of(*node.a), b = of(*node.b);
        a.value = a.value + b.value;
        a.by_theta.insert(a.by_theta.end(), b.by_theta.begin(), b.by_theta.end());
        return a;
      }
      case KernelKind::kProduct: {
        Kernel::Gradient a = of(*node.a), b = of(*node.b);
        for (Tensor& t : a.by_theta) t = t * b.value;
        for (const Tensor& t : b.by_theta) a.by_theta.push_back(t * a.value);
        a.value = a.value * b.value;
        return a;
      }
      case KernelKind::kPower: {
        Kernel::Gradient a = of(*node.a);
        for (Tensor& t : a.by_theta) t = t * (node.number * glia::pow(a.value, node.number - 1));
        a.value = glia::pow(a.value, node.number);
        return a;
      }
      default:
        return leaf(node);
    }
  }

  Kernel::Gradient leaf(const KernelNode& node) const {
    const int64_t n = x.size(0), m = other().size(0);
    const auto of = [&](size_t h) { return node.own[h].value[0]; };
    const auto wanted = [&](size_t h) { return derivatives && !node.own[h].bounds.fixed; };
    Kernel::Gradient out;
    switch (node.kind) {
      case KernelKind::kConstant:
        out.value = full({n, m}, of(0), kF64);
        if (wanted(0)) out.by_theta.push_back(out.value);
        break;
      case KernelKind::kWhite:
        out.value = y.defined() ? zeros({n, m}, kF64) : of(0) * eye(n, kF64);
        if (wanted(0)) out.by_theta.push_back(out.value);
        break;
      case KernelKind::kRBF:
      case KernelKind::kMatern: {
        const Vector& scale = node.own[0].value;
        const Tensor squares = squared_distances(x, other(), scale);
        const Radial r =
            matern(squares, node.kind == KernelKind::kRBF ? std::numeric_limits<double>::infinity()
                                                          : node.number);
        out.value = r.value;
        if (!wanted(0)) break;
        if (scale.size() == 1)
          out.by_theta.push_back(r.slope * squares);
        else
          for (size_t f = 0; f < scale.size(); ++f)
            out.by_theta.push_back(r.slope * along(x, static_cast<int64_t>(f), scale[f]));
        break;
      }
      case KernelKind::kRationalQuadratic: {
        const double alpha = of(0), length = of(1);
        const Tensor squares = squared_distances(x, other(), {length});
        const Tensor base = 1 + squares / (2 * alpha);
        out.value = glia::pow(base, -alpha);
        if (wanted(0))
          out.by_theta.push_back(out.value * (squares / (2 * base) - alpha * log(base)));
        if (wanted(1)) out.by_theta.push_back(squares * out.value / base);
        break;
      }
      case KernelKind::kExpSineSquared: {
        const double length = of(0), period = of(1);
        const Tensor angle = std::numbers::pi * sqrt(squared_distances(x, other(), {period}));
        const Tensor sine = sin(angle), square_length = full({}, length * length, kF64);
        out.value = exp(-2 * square(sine) / square_length);
        if (wanted(0)) out.by_theta.push_back(4 / square_length * square(sine) * out.value);
        if (wanted(1))
          out.by_theta.push_back(4 / square_length * angle * cos(angle) * sine * out.value);
        break;
      }
      default: {  // kDotProduct
        const double variance = of(0) * of(0);
        out.value = matmul(x, transpose(other())) + variance;
        if (wanted(0)) out.by_theta.push_back(full({n, m}, 2 * variance, kF64));
      }
    }
    return out;
  }
};

Tensor variances(const KernelNode& node, const Tensor& x) {
  switch (node.kind) {
    case KernelKind::kSum:
      return variances(*node.a, x) + variances(*node.b, x);
    case KernelKind::kProduct:
      return variances(*node.a, x) * variances(*node.b, x);
    case KernelKind::kPower:
      return glia::pow(variances(*node.a, x), node.number);
    case KernelKind::kConstant:
    case KernelKind::kWhite:
      return full({x.size(0)}, node.own[0].value[0], kF64);
    case KernelKind::kDotProduct:
      return sum(square(x), {1}) + node.own[0].value[0] * node.own[0].value[0];
    default:
      return ones({x.size(0)}, kF64);
  }
}

void check_lengths(const KernelNode& node, int64_t features, Where where) {
  for (const NodePtr& part : {node.a, node.b})
    if (part) check_lengths(*part, features, where);
  for (const Hyperparameter& h : node.own)
    if (h.value.size() > 1 && static_cast<int64_t>(h.value.size()) != features)
      throw ShapeError("a kernel has " + std::to_string(h.value.size()) + " length scales for " +
                           std::to_string(features) + " features",
                       where);
}

Tensor samples_of(const KernelNode& node, const char* what, const Tensor& x, Where where) {
  Tensor given = cast(check_x(what, x, where), kF64);
  check_lengths(node, given.size(1), where);
  eval(given, where);
  return given;
}

// Calls f(hyperparameter, name) for each that is not fixed, in the order of theta.
template <class F>
void each_free(const KernelNode& node, const std::string& prefix, const F& f) {
  for (const Hyperparameter& h : node.own)
    if (!h.bounds.fixed) f(h, prefix + h.name);
  const bool one = node.kind == KernelKind::kPower;
  if (node.a) each_free(*node.a, prefix + (one ? "kernel__" : "k1__"), f);
  if (node.b) each_free(*node.b, prefix + "k2__", f);
}

NodePtr replaced(const KernelNode& node, const Vector& theta, size_t& at) {
  KernelNode copy = node;
  for (Hyperparameter& h : copy.own)
    if (!h.bounds.fixed)
      for (double& x : h.value) x = std::exp(theta[at++]);
  if (copy.a) copy.a = replaced(*copy.a, theta, at);
  if (copy.b) copy.b = replaced(*copy.b, theta, at);
  return std::make_shared<const KernelNode>(std::move(copy));
}

NodePtr joined(KernelKind kind, const Kernel& a, const Kernel& b) {
  return std::make_shared<const KernelNode>(
      KernelNode{.kind = kind,
                 .a = std::make_shared<const KernelNode>(a.node()),
                 .b = std::make_shared<const KernelNode>(b.node())});
}

}  // namespace

Kernel::Kernel(double constant) : Kernel(ConstantKernel(constant)) {}

Tensor Kernel::operator()(const Tensor& x, const Tensor& y, Where where) const {
  const NoGrad no_grad;
  const Tensor a = samples_of(*node_, "a kernel of X", x, where);
  const Tensor b = y.defined() ? samples_of(*node_, "a kernel of Y", y, where) : Tensor();
  if (b.defined() && a.size(1) != b.size(1))
    throw ShapeError("a kernel of X " + a.shape().str() + " and Y " + b.shape().str() +
                         ", whose features differ",
                     where);
  return Evaluation{a, b}.of(*node_).value;
}

Tensor Kernel::diag(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  return variances(*node_, samples_of(*node_, "a kernel of X", x, where));
}

Kernel::Gradient Kernel::gradient(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = samples_of(*node_, "a kernel of X", x, where), none;
  return Evaluation{given, none, true}.of(*node_);
}

std::vector<double> Kernel::theta() const {
  Vector all;
  each_free(*node_, "", [&](const Hyperparameter& h, const std::string&) {
    for (const double x : h.value) all.push_back(std::log(x));
  });
  return all;
}

Kernel Kernel::with_theta(const std::vector<double>& values, Where where) const {
  const size_t count = theta().size();
  if (values.size() != count)
    throw ValueError("a kernel has " + std::to_string(count) + " hyperparameters, not " +
                         std::to_string(values.size()),
                     where);
  size_t at = 0;
  return Kernel(replaced(*node_, values, at));
}

std::vector<std::pair<double, double>> Kernel::bounds() const {
  std::vector<std::pair<double, double>> all;
  each_free(*node_, "", [&](const Hyperparameter& h, const std::string&) {
    all.insert(all.end(), h.value.size(), {std::log(h.bounds.low), std::log(h.bounds.high)});
  });
  return all;
}

std::vector<std::string> Kernel::names() const {
  std::vector<std::string> all;
  each_free(*node_, "", [&](const Hyperparameter& h, const std::string& name) {
    all.insert(all.end(), h.value.size(), name);
  });
  return all;
}

bool Kernel::is_stationary() const {
  const auto stationary = [](const auto& self, const KernelNode& node) -> bool {
    return node.kind != KernelKind::kDotProduct && (!node.a || self(self, *node.a)) &&
           (!node.b || self(self, *node.b));
  };
  return stationary(stationary, *node_);
}

Kernel operator+(const Kernel& a, const Kernel& b) {
  return Kernel(joined(KernelKind::kSum, a, b));
}
Kernel operator*(const Kernel& a, const Kernel& b) {
  return Kernel(joined(KernelKind::kProduct, a, b));
}
Kernel pow(const Kernel& kernel, double exponent) {
  return Kernel(std::make_shared<const KernelNode>(
      KernelNode{.kind = KernelKind::kPower,
                 .number = exponent,
                 .a = std::make_shared<const KernelNode>(kernel.node())}));
}

ConstantKernel::ConstantKernel(double value, const KernelBounds& bounds, Where where)
    : Kernel(
          detail::checked({KernelKind::kConstant, {{"constant_value", {value}, bounds}}}, where)) {}
WhiteKernel::WhiteKernel(double level, const KernelBounds& bounds, Where where)
    : Kernel(detail::checked({KernelKind::kWhite, {{"noise_level", {level}, bounds}}}, where)) {}
RBF::RBF(const std::vector<double>& length, const KernelBounds& bounds, Where where)
    : Kernel(detail::checked({KernelKind::kRBF, {{"length_scale", length, bounds}}}, where)) {}
Matern::Matern(const std::vector<double>& length, double nu, const KernelBounds& bounds,
               Where where)
    : Kernel(
          detail::checked({KernelKind::kMatern, {{"length_scale", length, bounds}}, nu}, where)) {}
RationalQuadratic::RationalQuadratic(double length, double alpha, const KernelBounds& length_bounds,
                                     const KernelBounds& alpha_bounds, Where where)
    : Kernel(detail::checked(
          {KernelKind::kRationalQuadratic,
           {{"alpha", {alpha}, alpha_bounds}, {"length_scale", {length}, length_bounds}}},
          where)) {}
ExpSineSquared::ExpSineSquared(double length, double period, const KernelBounds& length_bounds,
                               const KernelBounds& period_bounds, Where where)
    : Kernel(detail::checked(
          {KernelKind::kExpSineSquared,
           {{"length_scale", {length}, length_bounds}, {"periodicity", {period}, period_bounds}}},
          where)) {}
DotProduct::DotProduct(double sigma_0, const KernelBounds& bounds, Where where)
    : Kernel(detail::checked({KernelKind::kDotProduct, {{"sigma_0", {sigma_0}, bounds}}}, where)) {}

}  // namespace glia::classic
