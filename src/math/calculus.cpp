// Derivatives of fields, Taylor's coefficients, and derivatives by differences.
#include "glia/math/calculus.h"

#include <fmt/format.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "math/vectors.h"

namespace glia::calculus {
namespace {

void require_function(const char* name, bool given, const Tensor& x, const Where& where) {
  if (!given) fail(name, "the function is not given", where);
  require_defined(name, x, where);
  if (!is_float(x.dtype())) fail(name, "x is not of floats", where);
}
Tensor number_of(const char* name, const Tensor& f, const Where& where) {
  if (!f.defined() || f.numel() != 1)
    fail(name,
         fmt::format("the function gives {} instead of one number",
                     f.defined() ? f.shape().str() : "nothing"),
         where);
  return reshape(f, {});
}
// The gradient of f; zeros of what does not depend on x.
Tensor slope(const char* name, const Function& f, const Tensor& x, const Where& where) {
  const Tensor y = number_of(name, f(x), where);
  return y.requires_grad() ? gradients(y, {x}, {}, where)[0] : zeros_like(x);
}
Tensor jacobian_of(const Function& f, const Tensor& x, const Where& where) {
  return jacobian([&](const std::vector<Tensor>& in) { return f(in[0]); }, {x}, where)[0];
}
// at(point) at one or at each of many.
Tensor at_points(const char* name, const Tensor& x, const Function& at, const Where& where) {
  if (x.rank() == 1) return at(x);
  if (x.rank() != 2) fail(name, "points are (D) or (N, D), not " + x.shape().str(), where);
  return vmap([&](const std::vector<Tensor>& in) { return at(in[0]); }, {}, Randomness::kDifferent,
              where)({x});
}
Tensor field_jacobian(const char* name, const Function& field, const Tensor& point,
                      const Where& where) {
  return jacobian_of(
      [&](const Tensor& p) {
        const Tensor v = field(p);
        if (!v.defined() || v.shape() != p.shape())
          fail(name,
               fmt::format("the field gives {} at a point {}",
                           v.defined() ? v.shape().str() : "nothing", p.shape().str()),
               where);
        return v;
      },
      point, where);
}

}  // namespace

Tensor hessian(const Function& f, const Tensor& x, Where where) {
  require_function("hessian", f != nullptr, x, where);
  return jacobian_of([&](const Tensor& t) { return slope("hessian", f, t, where); }, x, where);
}

Tensor hvp(const Function& f, const Tensor& x, const Tensor& v, Where where) {
  require_function("hvp", f != nullptr, x, where);
  require_defined("hvp", v, where);
  if (v.shape() != x.shape())
    fail("hvp", "v is " + v.shape().str() + " for x " + x.shape().str(), where);
  const auto g = [&](const std::vector<Tensor>& in) {
    const Tensor t = in[0].requires_grad() ? in[0] : trainable(in[0]);
    return slope("hvp", f, t, where);
  };
  return vjp(g, {x}, v, where).second[0];
}

Tensor taylor(const Function& f, const Tensor& x, const Tensor& v, int64_t degree, Where where) {
  require_function("taylor", f != nullptr, x, where);
  require_defined("taylor", v, where);
  if (v.shape() != x.shape())
    fail("taylor", "v is " + v.shape().str() + " for x " + x.shape().str(), where);
  if (degree < 0 || degree > 16)
    throw ValueError(fmt::format("taylor: the degree is {}, not 0 to 16", degree), where);
  TensorFunction now = [&](const std::vector<Tensor>& in) { return f(in[0]); };
  std::vector<Tensor> coefficients{now({x})};
  double factorial = 1;
  for (int64_t k = 1; k <= degree; ++k) {
    now = [before = now, &v, &where](const std::vector<Tensor>& in) {
      return jvp(before, in, {v}, where).second;
    };
    factorial *= static_cast<double>(k);
    coefficients.push_back(now({x}) / factorial);
  }
  return stack(coefficients);
}

Tensor divergence(const Function& field, const Tensor& x, Where where) {
  require_function("divergence", field != nullptr, x, where);
  return at_points(
      "divergence", x,
      [&](const Tensor& p) { return sum(diagonal(field_jacobian("divergence", field, p, where))); },
      where);
}

Tensor curl(const Function& field, const Tensor& x, Where where) {
  require_function("curl", field != nullptr, x, where);
  const int64_t d = x.rank() > 0 ? x.size(-1) : 0;
  if (d != 2 && d != 3) fail("curl", "points have 2 or 3 numbers, not " + x.shape().str(), where);
  return at_points(
      "curl", x,
      [&](const Tensor& p) {
        const Tensor j = field_jacobian("curl", field, p, where);
        const auto turn = [&](int64_t a, int64_t b) { return index(j, {b, a}) - index(j, {a, b}); };
        return d == 2 ? turn(0, 1) : stack({turn(1, 2), turn(2, 0), turn(0, 1)});
      },
      where);
}

Tensor laplacian(const Function& f, const Tensor& x, Where where) {
  require_function("laplacian", f != nullptr, x, where);
  return at_points(
      "laplacian", x,
      [&](const Tensor& p) {
        return sum(diagonal(jacobian_of(
            [&](const Tensor& t) { return slope("laplacian", f, t, where); }, p, where)));
      },
      where);
}

// ---- By differences ----

namespace {

constexpr double kShorter = 1.6;

// Sums of values at x + offset h, times 1 / h^order: the derivative, with errors in the powers
// h^first, h^(first + each), ...
struct Stencil {
  std::vector<std::pair<double, double>> terms;  // offset, weight
  int first, each;
};
Stencil stencil(int64_t order, int direction) {
  if (direction == 0) {
    static const Stencil kCentral[] = {{{{1, 0.5}, {-1, -0.5}}, 2, 2},
                                       {{{1, 1}, {0, -2}, {-1, 1}}, 2, 2},
                                       {{{2, 0.5}, {1, -1}, {-1, 1}, {-2, -0.5}}, 2, 2},
                                       {{{2, 1}, {1, -4}, {0, 6}, {-1, -4}, {-2, 1}}, 2, 2}};
    return kCentral[order - 1];
  }
  Stencil s{{}, 1, 1};
  double binomial = 1;
  for (int64_t k = 0; k <= order; ++k) {
    const double sign = (order - k) % 2 == 0 ? 1 : -1;
    s.terms.push_back({direction * static_cast<double>(k),
                       sign * binomial * (direction < 0 && order % 2 == 1 ? -1 : 1)});
    binomial = binomial * static_cast<double>(order - k) / static_cast<double>(k + 1);
  }
  return s;
}

// Values of many functions at once, such as all of f along one number of x.
struct Extrapolated {
  Vector value, error;
};
Extrapolated extrapolate(const std::function<Vector(double offset)>& f, const Stencil& s,
                         int64_t order, double step, int64_t levels) {
  std::vector<Vector> row;
  Extrapolated best;
  double h = step;
  for (int64_t level = 0; level < levels; ++level, h /= kShorter) {
    Vector sum, rounding;
    for (const auto& [offset, weight] : s.terms) {
      const Vector v = f(offset * h);
      if (sum.empty()) sum.resize(v.size()), rounding.resize(v.size());
      const double w = weight / std::pow(h, static_cast<double>(order));
      sum = moved(sum, w, v);
      for (size_t i = 0; i < v.size(); ++i) rounding[i] += 0x1p-53 * std::abs(w * v[i]);
    }
    std::vector<Vector> next{sum};
    if (best.value.empty()) best = {sum, Vector(sum.size(), INFINITY)};
    for (size_t k = 0; k < row.size(); ++k) {
      const double power = std::pow(kShorter, s.first + s.each * static_cast<double>(k));
      Vector better = moved(times(power / (power - 1), next[k]), -1 / (power - 1), row[k]);
      for (size_t i = 0; i < better.size(); ++i) {
        const double error =
            std::max(std::abs(better[i] - next[k][i]), std::abs(better[i] - row[k][i])) +
            rounding[i];
        if (error < best.error[i]) best.value[i] = better[i], best.error[i] = error;
      }
      next.push_back(std::move(better));
    }
    row = std::move(next);
  }
  return best;
}
// Where the last digits of x do not matter for the differences.
double usual_step(double x, int64_t order) {
  return std::exp2(
      std::round(std::log2((0.1 + 0.1 * static_cast<double>(order)) * std::max(std::abs(x), 1.0))));
}

}  // namespace

DerivativeResult derivative(const RealFunction& f, double x, const DerivativeOptions& o,
                            Where where) {
  const auto require = [&](bool ok, const char* what) {
    if (!ok) throw ValueError(fmt::format("derivative: {}", what), where);
  };
  if (!f) fail("derivative", "the function is not given", where);
  require(std::isfinite(x), "x is not finite");
  require(o.order >= 1 && o.order <= 4, "the order is not 1 to 4");
  require(!o.step || (*o.step > 0 && std::isfinite(*o.step)), "step is not above 0");
  require(o.direction >= -1 && o.direction <= 1, "direction is not -1, 0 or 1");
  require(o.levels >= 2 && o.levels <= 100, "levels are not 2 to 100");
  DerivativeResult r;
  const auto values = [&](double offset) {
    ++r.nfev;
    return Vector{f(x + offset)};
  };
  const Extrapolated e = extrapolate(values, stencil(o.order, o.direction), o.order,
                                     o.step.value_or(usual_step(x, o.order)), o.levels);
  r.df = e.value[0], r.error = e.error[0];
  return r;
}

Tensor numerical_jacobian(const Function& f, const Tensor& x, Where where) {
  require_function("numerical_jacobian", f != nullptr, x, where);
  NoGrad none;
  const Vector at = x.to_vector<double>();
  const Tensor first = f(from_vector(at, x.shape()));
  if (!first.defined()) fail("numerical_jacobian", "the function gives nothing", where);
  const auto n = static_cast<int64_t>(at.size());
  std::vector<Tensor> columns;
  for (int64_t k = 0; k < n; ++k) {
    const auto values = [&](double offset) {
      Vector there = at;
      there[k] += offset;
      return f(from_vector(there, x.shape())).to_vector<double>();
    };
    columns.push_back(from_vector(
        extrapolate(values, stencil(1, 0), 1, usual_step(at[k], 1), 12).value, first.shape()));
  }
  Shape shape = first.shape();
  for (int i = 0; i < x.rank(); ++i) shape.push_back(x.size(i));
  if (columns.empty()) return zeros(shape, kF64);
  return reshape(stack(columns, -1), shape);
}

Tensor numerical_hessian(const Function& f, const Tensor& x, Where where) {
  require_function("numerical_hessian", f != nullptr, x, where);
  NoGrad none;
  const Vector at = x.to_vector<double>();
  const auto n = static_cast<int64_t>(at.size());
  HostMatrix out(n, n);
  const auto value = [&](const Vector& there) {
    return number_of("numerical_hessian", f(from_vector(there, x.shape())), where).item();
  };
  for (int64_t a = 0; a < n; ++a) {
    for (int64_t b = a; b < n; ++b) {
      // Along the diagonal of a and b: d^2 / dt^2 of f(x + t (a + b)) less that of x + t (a - b),
      // / 4.
      const auto along = [&](double offset) {
        Vector there = at;
        there[a] += offset;
        if (a == b) return Vector{value(there)};
        there[b] += offset;
        const double same = value(there);
        there[b] = at[b] - offset;
        return Vector{(same - value(there)) / 4};
      };
      const double step = std::min(usual_step(at[a], 2), usual_step(at[b], 2));
      out(a, b) = out(b, a) = extrapolate(along, stencil(2, 0), 2, step, 12).value[0];
    }
  }
  Shape shape = x.shape();
  for (int i = 0; i < x.rank(); ++i) shape.push_back(x.size(i));
  return from_vector(out.at, shape);
}

}  // namespace glia::calculus
