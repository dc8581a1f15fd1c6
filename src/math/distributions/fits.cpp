// Parameters of the largest likelihood, on the host in f64.
#include <fmt/format.h>

#include <algorithm>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "glia/math/distributions.h"
#include "math/distributions/law.h"
#include "ops/special_functions.h"

namespace glia::distributions {
namespace {

using special::digamma;
using Vector = std::vector<double>;

// ---- Data ----

// Numbers to fit: at least two, finite, each with `fits`.
class Numbers {
 public:
  Numbers(const char* family, const Tensor& x, const Where& where,
          const std::function<bool(double)>& fits = {}, const char* range = "")
      : family_(family), where_(where) {
    require_defined((std::string(family) + ".fit").c_str(), x, where);
    values = x.to_vector<double>();
    if (values.size() < 2) fail(fmt::format("{} numbers, not 2 or more", values.size()));
    for (double v : values) {
      if (!std::isfinite(v) || (fits && !fits(v)))
        fail(fmt::format("{} is no {}", v, fits ? range : "finite number"));
    }
  }
  [[noreturn]] void fail(const std::string& why) const {
    throw ValueError(std::string(family_) + ".fit: " + why, where_);
  }
  [[noreturn]] void fail_unbounded() const {
    fail("the likelihood has no largest value for these numbers");
  }
  template <class F>
  double mean(F f) const {
    double sum = 0, lost = 0;  // Neumaier
    for (double v : values) {
      const double x = f(v), next = sum + x;
      lost += std::abs(sum) >= std::abs(x) ? (sum - next) + x : (x - next) + sum;
      sum = next;
    }
    return (sum + lost) / static_cast<double>(values.size());
  }
  double mean() const {
    return mean([](double v) { return v; });
  }
  double variance(double around) const {
    return mean([&](double v) { return (v - around) * (v - around); });
  }
  double quantile(double p) const {
    Vector sorted = values;
    std::sort(sorted.begin(), sorted.end());
    const double at = p * static_cast<double>(sorted.size() - 1);
    const size_t i = std::min(static_cast<size_t>(at), sorted.size() - 2);
    return sorted[i] + (at - static_cast<double>(i)) * (sorted[i + 1] - sorted[i]);
  }
  Vector values;

 private:
  const char* family_;
  Where where_;
};

bool positive(double v) { return v > 0; }
bool not_negative(double v) { return v >= 0; }
bool inside_unit(double v) { return v > 0 && v < 1; }
bool natural(double v) { return v >= 0 && v == std::floor(v); }

Tensor number(double value) { return full({}, value, kF64); }

// ---- Equations ----

// Where a function of a positive number is 0: looked for on both sides of `start`, by doubling.
double positive_root(const Numbers& x, const std::function<double(double)>& f, double start) {
  const double first = f(start);
  if (first == 0) return start;
  const auto crosses = [&](double at) {
    const double value = f(at);
    return std::isfinite(value) && (value < 0) != (first < 0);
  };
  const auto solve = [&](double low, double high) {
    std::uintmax_t steps = 200;
    const auto found = boost::math::tools::toms748_solve(
        f, low, high, boost::math::tools::eps_tolerance<double>(50), steps);
    return (found.first + found.second) / 2;
  };
  double low = start, high = start;
  for (int i = 0; i < 100; ++i, low /= 2, high *= 2) {
    if (crosses(low / 2)) return solve(low / 2, low);
    if (crosses(high * 2)) return solve(high, high * 2);
  }
  x.fail_unbounded();
}

// Solves a small dense system by elimination.
Vector solved(std::vector<Vector> a, Vector b) {
  const size_t n = b.size();
  for (size_t k = 0; k < n; ++k) {
    size_t pivot = k;
    for (size_t i = k + 1; i < n; ++i) {
      if (std::abs(a[i][k]) > std::abs(a[pivot][k])) pivot = i;
    }
    std::swap(a[k], a[pivot]);
    std::swap(b[k], b[pivot]);
    for (size_t i = k + 1; i < n; ++i) {
      const double factor = a[i][k] / a[k][k];
      for (size_t j = k; j < n; ++j) a[i][j] -= factor * a[k][j];
      b[i] -= factor * b[k];
    }
  }
  for (size_t k = n; k-- > 0;) {
    for (size_t j = k + 1; j < n; ++j) b[k] -= a[k][j] * b[j];
    b[k] /= a[k][k];
  }
  return b;
}

// Newton's method on the derivatives of the likelihood, with differences for their derivatives and
// shorter steps where a whole one leads away.
Vector where_scores_vanish(const Numbers& x, Vector at,
                           const std::function<Vector(const Vector&)>& scores) {
  const auto size = [](const Vector& v) {
    return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
  };
  Vector now = scores(at);
  for (int i = 0; i < 200 && size(now) > 1e-14; ++i) {
    std::vector<Vector> slopes(at.size(), Vector(at.size()));
    for (size_t j = 0; j < at.size(); ++j) {
      const double step = 1e-6 * std::max(1.0, std::abs(at[j]));
      Vector up = at, down = at;
      up[j] += step, down[j] -= step;
      const Vector above = scores(up), below = scores(down);
      for (size_t k = 0; k < at.size(); ++k) slopes[k][j] = (above[k] - below[k]) / (2 * step);
    }
    const Vector step = solved(slopes, now);
    double length = 1;
    Vector next = at, there = now;
    for (; length > 1e-10; length /= 2) {
      for (size_t j = 0; j < at.size(); ++j) next[j] = at[j] - length * step[j];
      there = scores(next);
      if (size(there) < size(now)) break;
    }
    if (!(size(there) < size(now))) break;
    at = next, now = there;
  }
  if (!(size(now) < 1e-8)) x.fail_unbounded();
  return at;
}

// a with log a - digamma(a) = s.
double gamma_shape(const Numbers& x, double s) {
  if (!(s > 0)) x.fail_unbounded();
  const double start = (3 - s + std::sqrt((s - 3) * (s - 3) + 24 * s)) / (12 * s);
  return positive_root(
      x, [&](double a) { return std::log(a) - digamma(a) - s; }, start);
}

}  // namespace

// ---- On all numbers ----

Normal Normal::fit(const Tensor& x, Where where) {
  const Numbers data("Normal", x, where);
  const double m = data.mean(), v = data.variance(m);
  if (!(v > 0)) data.fail_unbounded();
  return Normal(number(m), number(std::sqrt(v)));
}
Laplace Laplace::fit(const Tensor& x, Where where) {
  const Numbers data("Laplace", x, where);
  const double m = data.quantile(0.5);
  const double s = data.mean([&](double v) { return std::abs(v - m); });
  if (!(s > 0)) data.fail_unbounded();
  return Laplace(number(m), number(s));
}
Cauchy Cauchy::fit(const Tensor& x, Where where) {
  const Numbers data("Cauchy", x, where);
  const double half = (data.quantile(0.75) - data.quantile(0.25)) / 2;
  if (!(half > 0)) data.fail_unbounded();
  const Vector at =
      where_scores_vanish(data, {data.quantile(0.5) / half, 0}, [&](const Vector& p) -> Vector {
        const double s = std::exp(p[1]);
        const auto z = [&](double v) { return (v / half - p[0]) / s; };
        return {data.mean([&](double v) { return z(v) / (1 + z(v) * z(v)); }),
                data.mean([&](double v) { return z(v) * z(v) / (1 + z(v) * z(v)); }) - 0.5};
      });
  return Cauchy(number(at[0] * half), number(std::exp(at[1]) * half));
}
Gumbel Gumbel::fit(const Tensor& x, Where where) {
  const Numbers data("Gumbel", x, where);
  const double m = data.mean(), deviation = std::sqrt(data.variance(m));
  if (!(deviation > 0)) data.fail_unbounded();
  const double least = *std::min_element(data.values.begin(), data.values.end());
  const auto weight = [&](double v, double s) { return std::exp((least - v) / s); };
  const double s = positive_root(
      data,
      [&](double scale) {
        const double all = data.mean([&](double v) { return weight(v, scale); });
        const double part = data.mean([&](double v) { return (v - m) * weight(v, scale); });
        return scale + part / all;
      },
      deviation);
  const double all = data.mean([&](double v) { return weight(v, s); });
  return Gumbel(number(least - s * std::log(all)), number(s));
}
Logistic Logistic::fit(const Tensor& x, Where where) {
  const Numbers data("Logistic", x, where);
  const double m = data.mean(), d = std::sqrt(data.variance(m));
  if (!(d > 0)) data.fail_unbounded();
  const Vector at = where_scores_vanish(data, {0, std::log(0.55)}, [&](const Vector& p) -> Vector {
    const double s = std::exp(p[1]);
    const auto z = [&](double v) { return ((v - m) / d - p[0]) / s; };
    return {data.mean([&](double v) { return std::tanh(z(v) / 2); }),
            data.mean([&](double v) { return z(v) * std::tanh(z(v) / 2); }) - 1};
  });
  return Logistic(number(m + d * at[0]), number(d * std::exp(at[1])));
}
StudentT StudentT::fit(const Tensor& x, Where where) {
  const Numbers data("StudentT", x, where);
  const double centre = data.quantile(0.5);
  const double unit = (data.quantile(0.75) - data.quantile(0.25)) / 1.5;
  if (!(unit > 0)) data.fail_unbounded();
  // Some steps of expectation and maximisation (Lange et al. 1989), then Newton's.
  double m = 0, s = 1, df = 4;
  const auto z = [&](double v) { return ((v - centre) / unit - m) / s; };
  const auto weight = [&](double v) { return (df + 1) / (df + z(v) * z(v)); };
  const auto df_score = [&](double n) {
    return digamma((n + 1) / 2) - digamma(n / 2) - 1 / n - data.mean([&](double v) {
      const double z2 = z(v) * z(v);
      return std::log1p(z2 / n) - (n + 1) * z2 / (n * (n + z2));
    });
  };
  const auto scores = [&](const Vector& p) -> Vector {
    m = p[0], s = std::exp(p[1]), df = std::exp(p[2]);
    return {data.mean([&](double v) { return weight(v) * z(v); }),
            data.mean([&](double v) { return weight(v) * z(v) * z(v); }) - 1, df_score(df) * df};
  };
  for (int i = 0; i < 30; ++i) {
    const double all = data.mean(weight);
    const double next = data.mean([&](double v) { return weight(v) * (v - centre) / unit; }) / all;
    m = next;
    s = std::sqrt(data.mean([&](double v) { return weight(v) * s * s * z(v) * z(v); }));
    df = positive_root(data, df_score, df);
    if (df > 1e6) data.fail_unbounded();
  }
  const Vector at = where_scores_vanish(data, {m, std::log(s), std::log(df)}, scores);
  return StudentT(number(std::exp(at[2])), number(centre + unit * at[0]),
                  number(unit * std::exp(at[1])));
}
VonMises VonMises::fit(const Tensor& x, Where where) {
  const Numbers data("VonMises", x, where);
  const double c = data.mean([](double v) { return std::cos(v); });
  const double s = data.mean([](double v) { return std::sin(v); });
  const double length = std::hypot(c, s);
  if (!(length > 1e-12 && length < 1 - 1e-12)) data.fail_unbounded();
  const double k = positive_root(
      data, [&](double k) { return special::i1e(k) / special::i0e(k) - length; }, 1);
  return VonMises(number(std::atan2(s, c)), number(k));
}

// ---- From 0 on ----

Exponential Exponential::fit(const Tensor& x, Where where) {
  const Numbers data("Exponential", x, where, not_negative, "number from 0 on");
  if (!(data.mean() > 0)) data.fail_unbounded();
  return Exponential(number(1 / data.mean()));
}
Gamma Gamma::fit(const Tensor& x, Where where) {
  const Numbers data("Gamma", x, where, positive, "number above 0");
  const double m = data.mean();
  const double a = gamma_shape(data, -data.mean([&](double v) { return std::log(v / m); }));
  return Gamma(number(a), number(a / m));
}
InverseGamma InverseGamma::fit(const Tensor& x, Where where) {
  const Numbers data("InverseGamma", x, where, positive, "number above 0");
  const double m = data.mean([](double v) { return 1 / v; });
  const double a = gamma_shape(data, data.mean([&](double v) { return std::log(v * m); }));
  return InverseGamma(number(a), number(a / m));
}
HalfNormal HalfNormal::fit(const Tensor& x, Where where) {
  const Numbers data("HalfNormal", x, where, not_negative, "number from 0 on");
  const double v = data.variance(0);
  if (!(v > 0)) data.fail_unbounded();
  return HalfNormal(number(std::sqrt(v)));
}
LogNormal LogNormal::fit(const Tensor& x, Where where) {
  const Numbers data("LogNormal", x, where, positive, "number above 0");
  const double m = data.mean([](double v) { return std::log(v); });
  const double s = data.mean([&](double v) { return (std::log(v) - m) * (std::log(v) - m); });
  if (!(s > 0)) data.fail_unbounded();
  return LogNormal(number(m), number(std::sqrt(s)));
}
Weibull Weibull::fit(const Tensor& x, Where where) {
  const Numbers data("Weibull", x, where, positive, "number above 0");
  const double largest = *std::max_element(data.values.begin(), data.values.end());
  const double m = data.mean([&](double v) { return std::log(v / largest); });
  if (!(m < 0)) data.fail_unbounded();
  const auto power = [&](double v, double k) { return std::pow(v / largest, k); };
  const double k = positive_root(
      data,
      [&](double c) {
        const double all = data.mean([&](double v) { return power(v, c); });
        return data.mean([&](double v) { return power(v, c) * std::log(v / largest); }) / all -
               1 / c - m;
      },
      1);
  const double all = data.mean([&](double v) { return power(v, k); });
  return Weibull(number(largest * std::pow(all, 1 / k)), number(k));
}
Pareto Pareto::fit(const Tensor& x, Where where) {
  const Numbers data("Pareto", x, where, positive, "number above 0");
  const double least = *std::min_element(data.values.begin(), data.values.end());
  const double m = data.mean([&](double v) { return std::log(v / least); });
  if (!(m > 0)) data.fail_unbounded();
  return Pareto(number(least), number(1 / m));
}

// ---- Between two numbers ----

Uniform Uniform::fit(const Tensor& x, Where where) {
  const Numbers data("Uniform", x, where);
  const auto [low, high] = std::minmax_element(data.values.begin(), data.values.end());
  if (!(*low < *high)) data.fail_unbounded();
  return Uniform(number(*low), number(*high));
}
Beta Beta::fit(const Tensor& x, Where where) {
  const Numbers data("Beta", x, where, inside_unit, "number between 0 and 1");
  const double m = data.mean(), v = data.variance(m);
  if (!(v > 0)) data.fail_unbounded();
  const double of_x = data.mean([](double x) { return std::log(x); });
  const double of_rest = data.mean([](double x) { return std::log1p(-x); });
  const double all = std::max(m * (1 - m) / v - 1, 0.1);
  const Vector at = where_scores_vanish(
      data, {std::log(m * all), std::log((1 - m) * all)}, [&](const Vector& p) -> Vector {
        const double a = std::exp(p[0]), b = std::exp(p[1]), both = digamma(a + b);
        return {digamma(a) - both - of_x, digamma(b) - both - of_rest};
      });
  return Beta(number(std::exp(at[0])), number(std::exp(at[1])));
}

// ---- Discrete ----

Bernoulli Bernoulli::fit(const Tensor& x, Where where) {
  const Numbers data(
      "Bernoulli", x, where, [](double v) { return v == 0 || v == 1; }, "0 or 1");
  return Bernoulli(number(data.mean()));
}
Geometric Geometric::fit(const Tensor& x, Where where) {
  const Numbers data("Geometric", x, where, natural, "whole number from 0 on");
  return Geometric(number(1 / (1 + data.mean())));
}
Poisson Poisson::fit(const Tensor& x, Where where) {
  const Numbers data("Poisson", x, where, natural, "whole number from 0 on");
  return Poisson(number(data.mean()));
}
NegativeBinomial NegativeBinomial::fit(const Tensor& x, Where where) {
  const Numbers data("NegativeBinomial", x, where, natural, "whole number from 0 on");
  const double m = data.mean(), v = data.variance(m);
  if (!(v > m)) data.fail_unbounded();  // a Poisson's likelihood is larger
  const double r = positive_root(
      data,
      [&](double r) {
        return data.mean([&](double k) { return digamma(r + k); }) - digamma(r) - std::log1p(m / r);
      },
      m * m / (v - m));
  return NegativeBinomial(number(r), number(m / (r + m)));
}
Categorical Categorical::fit(const Tensor& x, int64_t count, Where where) {
  const Numbers data("Categorical", x, where, natural, "index");
  if (count < 1 || count > int64_t{1} << 32) data.fail(fmt::format("{} categories", count));
  Vector counts(static_cast<size_t>(count), 0);
  for (double v : data.values) {
    if (v >= static_cast<double>(count)) data.fail(fmt::format("{} of {} categories", v, count));
    ++counts[static_cast<size_t>(v)];
  }
  return Categorical(from_vector(counts, {count}));
}

// ---- Vectors ----

namespace {

// Rows (N, K) as numbers.
int64_t columns_of(const char* family, const Tensor& x, const Where& where) {
  const std::string name = std::string(family) + ".fit";
  require_defined(name.c_str(), x, where);
  if (x.rank() != 2 || x.size(1) == 0)
    throw ShapeError(fmt::format("{}: rows (N, K), not {}", name, x.shape().str()), where);
  return x.size(1);
}

}  // namespace

MultivariateNormal MultivariateNormal::fit(const Tensor& x, Where where) {
  const int64_t d = columns_of("MultivariateNormal", x, where);
  const Numbers data("MultivariateNormal", x, where);
  if (x.size(0) <= d) data.fail(fmt::format("{} rows for {} columns", x.size(0), d));
  NoGrad none;
  const Tensor rows = cast(x, kF64), m = glia::mean(rows, {0}), off = rows - m;
  const double n = static_cast<double>(x.size(0));
  return MultivariateNormal(m, matmul(transpose(off), off) / n, where);
}

// Newton's method with the inverse of a diagonal and a constant (Minka 2000).
Dirichlet Dirichlet::fit(const Tensor& x, Where where) {
  const int64_t count = columns_of("Dirichlet", x, where);
  const size_t k = static_cast<size_t>(count);
  const Numbers data("Dirichlet", x, where, inside_unit, "number between 0 and 1");
  const size_t n = data.values.size() / k;
  if (n < 2) data.fail("one row");
  Vector mean_log(k, 0), first(k, 0);
  double second = 0;
  for (size_t i = 0; i < data.values.size(); ++i) {
    mean_log[i % k] += std::log(data.values[i]) / static_cast<double>(n);
    first[i % k] += data.values[i] / static_cast<double>(n);
    if (i % k == 0) second += data.values[i] * data.values[i] / static_cast<double>(n);
  }
  const double spread = second - first[0] * first[0];
  if (!(spread > 0)) data.fail_unbounded();
  Vector a = first;
  for (double& v : a) v *= std::max((first[0] - second) / spread, 0.1);
  for (int i = 0; i < 1000; ++i) {
    const double all = std::accumulate(a.begin(), a.end(), 0.0), of_all = digamma(all);
    const double z = special::polygamma(1, all);
    double top = 0, bottom = 1 / z;
    Vector g(k), q(k);
    for (size_t j = 0; j < k; ++j) {
      g[j] = of_all - digamma(a[j]) + mean_log[j];
      q[j] = -special::polygamma(1, a[j]);
      top += g[j] / q[j], bottom += 1 / q[j];
    }
    // (diag(q) + z)^-1 g.
    const double b = top / bottom;
    double largest = 0;
    for (size_t j = 0; j < k; ++j) {
      const double step = (g[j] - b) / q[j];
      const double next = a[j] - step > 0 ? a[j] - step : a[j] / 2;
      largest = std::max(largest, std::abs(next - a[j]) / a[j]);
      a[j] = next;
    }
    if (!std::isfinite(largest)) data.fail_unbounded();
    if (largest < 1e-14) break;
  }
  return Dirichlet(from_vector(a, {count}), where);
}

}  // namespace glia::distributions
