// Integrals with a weight, and by changes of the variable (Boost.Math).
#include <fmt/format.h>

#include <boost/math/quadrature/exp_sinh.hpp>
#include <boost/math/quadrature/ooura_fourier_integrals.hpp>
#include <boost/math/quadrature/sinh_sinh.hpp>
#include <boost/math/quadrature/tanh_sinh.hpp>
#include <cmath>
#include <numbers>

#include "glia/op.h"
#include "math/integrate/adaptive.h"

namespace glia::integrate {
namespace {

namespace bp = boost::math::policies;
// Faults come out as numbers that are not finite.
using Quiet =
    bp::policy<bp::domain_error<bp::ignore_error>, bp::pole_error<bp::ignore_error>,
               bp::overflow_error<bp::ignore_error>, bp::evaluation_error<bp::ignore_error>>;

// (x - a)^c (b - x)^d, with logarithms, times f: by distances to the ends that keep their digits.
QuadResult at_ends(const RealFunction& f, double a, double b, const QuadOptions& o,
                   const Where& where) {
  if (o.wvar.size() != 2 || !(o.wvar[0] > -1 && o.wvar[1] > -1))
    throw ValueError("quad: wvar of kAlg are two numbers above -1", where);
  if (!(a < b && std::isfinite(a) && std::isfinite(b)))
    throw ValueError("quad: the weight needs finite limits a < b", where);
  const double c = o.wvar[0], d = o.wvar[1];
  const bool log_a = o.weight == Weight::kAlgLogA || o.weight == Weight::kAlgLog;
  const bool log_b = o.weight == Weight::kAlgLogB || o.weight == Weight::kAlgLog;
  QuadResult r;
  // `near`: minus the distance to a, or the distance to b, whichever is nearer.
  const auto g = [&](double x, double near) {
    ++r.neval;
    const double from_a = near < 0 ? -near : x - a, to_b = near < 0 ? b - x : near;
    double w = std::pow(from_a, c) * std::pow(to_b, d);
    if (log_a) w *= std::log(from_a);
    if (log_b) w *= std::log(to_b);
    return w * f(x);
  };
  boost::math::quadrature::tanh_sinh<double, Quiet> rule;
  double error = 0, size = 0;
  const double tolerance = std::max(o.epsrel * 1e-2, 1e-15);
  r.value = rule.integrate(g, a, b, tolerance, &error, &size);
  r.abserr = error;
  r.intervals = 1;
  judge(&r, o);
  return r;
}

// The principal value at c: both sides of it together, and what is left.
QuadResult cauchy(const RealFunction& f, double a, double b, const QuadOptions& o,
                  const Where& where) {
  if (o.wvar.size() != 1) throw ValueError("quad: wvar of kCauchy is one number", where);
  const double c = o.wvar[0];
  if (!(a < b && std::isfinite(a) && std::isfinite(b)))
    throw ValueError("quad: the weight needs finite limits a < b", where);
  if (!std::isfinite(c) || c == a || c == b)
    throw ValueError(fmt::format("quad: the pole is {}", c), where);
  QuadOptions plain = o;
  plain.weight = Weight::kNone;
  plain.epsabs /= 2;
  if (c < a || c > b) return adaptive([&](double x) { return f(x) / (x - c); }, {a, b}, false, o);
  const double h = std::min(c - a, b - c);
  QuadResult r =
      adaptive([&](double t) { return (f(c + t) - f(c - t)) / t; }, {0, h}, false, plain);
  if (c - a != b - c) {
    const double low = c - a > b - c ? a : c + h, high = c - a > b - c ? c - h : b;
    const QuadResult rest =
        adaptive([&](double x) { return f(x) / (x - c); }, {low, high}, false, plain);
    r.value += rest.value, r.abserr += rest.abserr;
    r.neval += rest.neval, r.intervals += rest.intervals;
  }
  judge(&r, o);
  return r;
}

QuadResult oscillating(const RealFunction& f, double a, double b, const QuadOptions& o,
                       const Where& where) {
  if (o.wvar.size() != 1 || !std::isfinite(o.wvar[0]))
    throw ValueError("quad: wvar of kCos and kSin is one number", where);
  const double w = o.wvar[0];
  const bool sine = o.weight == Weight::kSin;
  if (std::isinf(a) || !(a < b))
    throw ValueError("quad: the weight needs limits a < b, a finite", where);
  const RealFunction whole = [&](double x) {
    return f(x) * (sine ? std::sin(w * x) : std::cos(w * x));
  };
  QuadOptions plain = o;
  plain.weight = Weight::kNone;
  if (w == 0) {
    if (sine) return {};
    return quad(f, a, b, plain, where);
  }
  if (std::isfinite(b)) {
    // One interval for each half turn, as far as the limit goes.
    const double turns = (b - a) * std::abs(w) / std::numbers::pi;
    const auto pieces = static_cast<int64_t>(std::min(turns + 1, 20000.0));
    std::vector<double> breaks;
    for (int64_t i = 0; i < pieces; ++i)
      breaks.push_back(a + (b - a) * static_cast<double>(i) / static_cast<double>(pieces));
    breaks.push_back(b);
    plain.limit = std::max(o.limit, 2 * pieces + o.limit);
    return adaptive(whole, breaks, false, plain);
  }
  // cos(w (a + t)) = cos(w a) cos(w t) - sin(w a) sin(w t), each by Ooura & Mori 1999.
  QuadResult r;
  const double turn = std::abs(w), sign = w < 0 ? -1 : 1;
  const auto g = [&](double t) {
    ++r.neval;
    const double v = f(a + t);
    return std::isfinite(v) ? v : 0;
  };
  const double tolerance = std::max(std::min(o.epsrel, o.epsabs) * 1e-1, 1e-14);
  const double c = std::cos(w * a), s = std::sin(w * a);
  const double of_cos = sine ? s : c, of_sin = sign * (sine ? c : -s);
  double value = 0, error = 0;
  if (of_cos != 0) {
    const auto [v, relative] =
        boost::math::quadrature::ooura_fourier_cos<double>(tolerance).integrate(g, turn);
    value += of_cos * v, error += std::abs(of_cos * v) * relative;
  }
  if (of_sin != 0) {
    const auto [v, relative] =
        boost::math::quadrature::ooura_fourier_sin<double>(tolerance).integrate(g, turn);
    value += of_sin * v, error += std::abs(of_sin * v) * relative;
  }
  r.value = value;
  r.abserr = error;
  r.intervals = 1;
  judge(&r, o);
  return r;
}

}  // namespace

QuadResult weighted(const RealFunction& f, double a, double b, const QuadOptions& o,
                    const Where& where) {
  if (!o.points.empty()) throw ValueError("quad: points and a weight do not go together", where);
  switch (o.weight) {
    case Weight::kCos:
    case Weight::kSin:
      return oscillating(f, a, b, o, where);
    case Weight::kCauchy:
      return cauchy(f, a, b, o, where);
    default:
      return at_ends(f, a, b, o, where);
  }
}

QuadResult tanhsinh(const RealFunction& f, double a, double b, double rtol, Where where) {
  if (!f) fail("tanhsinh", "the function is not given", where);
  if (std::isnan(a) || std::isnan(b)) throw ValueError("tanhsinh: a limit is NaN", where);
  if (!(rtol > 0)) throw ValueError("tanhsinh: rtol is not above 0", where);
  QuadResult r;
  if (a == b) return r;
  const double sign = a < b ? 1 : -1, low = std::min(a, b), high = std::max(a, b);
  const double tolerance = std::max(rtol, 1e-15);
  const auto g = [&](double x) {
    ++r.neval;
    return f(x);
  };
  double error = 0, size = 0;
  if (std::isfinite(low) && std::isfinite(high)) {
    r.value = boost::math::quadrature::tanh_sinh<double, Quiet>().integrate(g, low, high, tolerance,
                                                                            &error, &size);
  } else if (std::isfinite(low) || std::isfinite(high)) {
    r.value = boost::math::quadrature::exp_sinh<double, Quiet>().integrate(g, low, high, tolerance,
                                                                           &error, &size);
  } else {
    r.value =
        boost::math::quadrature::sinh_sinh<double, Quiet>().integrate(g, tolerance, &error, &size);
  }
  r.value *= sign;
  r.abserr = error;
  r.intervals = 1;
  QuadOptions o;
  o.epsabs = 1e-300, o.epsrel = rtol * 10;
  judge(&r, o);
  return r;
}

}  // namespace glia::integrate
