#include "glia/classic/metrics/pairwise.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "metrics/inputs.h"
#include "simd.h"

namespace glia::classic {
namespace {

struct Pair {
  Grid x, y;

  Pair(const char* op, const Tensor& a, const Tensor& b, Where where, bool finite = true) {
    const auto read = finite ? grid_of : any_grid_of;
    x = read(op, a, "x", where);
    y = b.defined() ? read(op, b, "y", where) : x;
    if (x.flat || y.flat) throw ShapeError(std::string(op) + ": x and y are (N, features)", where);
    if (x.columns != y.columns)
      throw ShapeError(std::string(op) + ": x has " + std::to_string(x.columns) +
                           " features, y has " + std::to_string(y.columns),
                       where);
  }

  // f(row of x, row of y, features) for all pairs.
  template <class F>
  Tensor each(F&& f) const {
    std::vector<double> out(static_cast<size_t>(x.rows * y.rows));
    parallel_for(x.rows, [&](int64_t i) {
      const double* a = x.values.data() + i * x.columns;
      for (int64_t j = 0; j < y.rows; ++j)
        out[static_cast<size_t>(i * y.rows + j)] = f(a, y.values.data() + j * y.columns, x.columns);
    });
    return from_vector(out, {x.rows, y.rows});
  }
  double gamma(const std::optional<double>& given) const {
    return given.value_or(1.0 / static_cast<double>(x.columns));
  }
};

using simd::dot;
double squared(const double* a, const double* b, int64_t d) {
  return simd::squared_distance(a, b, d);
}
double city(const double* a, const double* b, int64_t d) { return simd::city_distance(a, b, d); }

void scale_rows(Grid& g) {
  for (int64_t i = 0; i < g.rows; ++i) {
    double* row = g.values.data() + i * g.columns;
    const double length = std::sqrt(dot(row, row, g.columns));
    if (length > 0)
      for (int64_t f = 0; f < g.columns; ++f) row[f] /= length;
  }
}

double chi2(const double* a, const double* b, int64_t d) {
  double sum = 0;
  for (int64_t f = 0; f < d; ++f)
    if (a[f] + b[f] != 0) sum += (a[f] - b[f]) * (a[f] - b[f]) / (a[f] + b[f]);
  return -sum;
}

Pair not_negative(const char* op, const Tensor& x, const Tensor& y, Where where) {
  Pair p(op, x, y, where);
  for (const Grid* g : {&p.x, &p.y})
    for (const double v : g->values)
      if (v < 0)
        throw ValueError(std::string(op) + ": " + std::to_string(v) + " is negative", where);
  return p;
}

}  // namespace

Tensor euclidean_distances(const Tensor& x, const Tensor& y, Where where) {
  return Pair("euclidean_distances", x, y, where)
      .each(
          [](const double* a, const double* b, int64_t d) { return std::sqrt(squared(a, b, d)); });
}

Tensor manhattan_distances(const Tensor& x, const Tensor& y, Where where) {
  return Pair("manhattan_distances", x, y, where).each(city);
}

Tensor chebyshev_distances(const Tensor& x, const Tensor& y, Where where) {
  return Pair("chebyshev_distances", x, y, where)
      .each([](const double* a, const double* b, int64_t d) {
        double most = 0;
        for (int64_t f = 0; f < d; ++f) most = std::max(most, std::abs(a[f] - b[f]));
        return most;
      });
}

Tensor cosine_similarity(const Tensor& x, const Tensor& y, Where where) {
  Pair p("cosine_similarity", x, y, where);
  scale_rows(p.x);
  scale_rows(p.y);
  return p.each(dot);
}

Tensor cosine_distances(const Tensor& x, const Tensor& y, Where where) {
  Pair p("cosine_distances", x, y, where);
  scale_rows(p.x);
  scale_rows(p.y);
  const bool same = !y.defined();
  return p.each([&](const double* a, const double* b, int64_t d) {
    const bool itself = same && a - p.x.values.data() == b - p.y.values.data();
    return itself ? 0 : std::clamp(1 - dot(a, b, d), 0.0, 2.0);
  });
}

Tensor haversine_distances(const Tensor& x, const Tensor& y, Where where) {
  const Pair p("haversine_distances", x, y, where);
  if (p.x.columns != 2)
    throw ShapeError("haversine_distances: x is (N, 2), latitude and longitude", where);
  return p.each([](const double* a, const double* b, int64_t) {
    const double s = std::sin((a[0] - b[0]) / 2), t = std::sin((a[1] - b[1]) / 2);
    return 2 * std::asin(std::sqrt(s * s + std::cos(a[0]) * std::cos(b[0]) * t * t));
  });
}

Tensor nan_euclidean_distances(const Tensor& x, const Tensor& y, Where where) {
  return Pair("nan_euclidean_distances", x, y, where, false)
      .each([](const double* a, const double* b, int64_t d) {
        double sum = 0, count = 0;
        for (int64_t f = 0; f < d; ++f) {
          if (std::isnan(a[f]) || std::isnan(b[f])) continue;
          sum += (a[f] - b[f]) * (a[f] - b[f]);
          ++count;
        }
        return count == 0 ? std::numeric_limits<double>::quiet_NaN()
                          : std::sqrt(sum * (static_cast<double>(d) / count));
      });
}

Tensor pairwise_distances(const Tensor& x, const Tensor& y, std::string_view metric, Where where) {
  if (metric == "euclidean" || metric == "l2") return euclidean_distances(x, y, where);
  if (metric == "sqeuclidean") return Pair("pairwise_distances", x, y, where).each(squared);
  if (metric == "manhattan" || metric == "cityblock" || metric == "l1")
    return manhattan_distances(x, y, where);
  if (metric == "chebyshev") return chebyshev_distances(x, y, where);
  if (metric == "cosine") return cosine_distances(x, y, where);
  if (metric == "haversine") return haversine_distances(x, y, where);
  if (metric == "nan_euclidean") return nan_euclidean_distances(x, y, where);
  throw ValueError("pairwise_distances: there is no metric \"" + std::string(metric) + "\"", where);
}

Tensor linear_kernel(const Tensor& x, const Tensor& y, Where where) {
  return Pair("linear_kernel", x, y, where).each(dot);
}

Tensor polynomial_kernel(const Tensor& x, const Tensor& y, double degree,
                         std::optional<double> gamma, double coef0, Where where) {
  const Pair p("polynomial_kernel", x, y, where);
  const double g = p.gamma(gamma);
  return p.each([&](const double* a, const double* b, int64_t d) {
    return std::pow(g * dot(a, b, d) + coef0, degree);
  });
}

Tensor sigmoid_kernel(const Tensor& x, const Tensor& y, std::optional<double> gamma, double coef0,
                      Where where) {
  const Pair p("sigmoid_kernel", x, y, where);
  const double g = p.gamma(gamma);
  return p.each([&](const double* a, const double* b, int64_t d) {
    return std::tanh(g * dot(a, b, d) + coef0);
  });
}

Tensor rbf_kernel(const Tensor& x, const Tensor& y, std::optional<double> gamma, Where where) {
  const Pair p("rbf_kernel", x, y, where);
  const double g = p.gamma(gamma);
  return p.each(
      [&](const double* a, const double* b, int64_t d) { return std::exp(-g * squared(a, b, d)); });
}

Tensor laplacian_kernel(const Tensor& x, const Tensor& y, std::optional<double> gamma,
                        Where where) {
  const Pair p("laplacian_kernel", x, y, where);
  const double g = p.gamma(gamma);
  return p.each(
      [&](const double* a, const double* b, int64_t d) { return std::exp(-g * city(a, b, d)); });
}

Tensor additive_chi2_kernel(const Tensor& x, const Tensor& y, Where where) {
  return not_negative("additive_chi2_kernel", x, y, where).each(chi2);
}

Tensor chi2_kernel(const Tensor& x, const Tensor& y, double gamma, Where where) {
  return not_negative("chi2_kernel", x, y, where)
      .each([&](const double* a, const double* b, int64_t d) {
        return std::exp(gamma * chi2(a, b, d));
      });
}

}  // namespace glia::classic
