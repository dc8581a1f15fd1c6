// Special functions, running extremes, searches and reductions at positions.
#pragma once

#include "core/op.h"
#include "glia/ops/reduce.h"
#include "glia/ops/select.h"
#include "glia/ops/special.h"
#include "ops/pointwise.h"
#include "tests/support/index_cases.h"
#include "tests/support/kernel_cases.h"

namespace glia::test {

// ---- References in long double ----

inline Real psi_reference(int64_t n, Real x) {  // the n-th derivative of digamma, of x > 0
  constexpr Real kBernoulli[] = {Real(1) / 6,   Real(-1) / 30, Real(1) / 42,
                                 Real(-1) / 30, Real(5) / 66,  Real(-691) / 2730};
  const auto term = [&](Real at) {
    return n == 0 ? -1 / at : (n % 2 ? 1 : -1) * std::tgamma(Real(n + 1)) * std::pow(at, -n - 1);
  };
  Real sum = 0;
  for (; x < 60; ++x) sum += term(x);
  if (n == 0) {
    sum += std::log(x) - 1 / (2 * x);
    for (int k = 1; k <= 6; ++k) sum -= kBernoulli[k - 1] / (2 * k * std::pow(x, 2 * k));
    return sum;
  }
  Real rest =
      std::tgamma(Real(n)) / std::pow(x, n) + std::tgamma(Real(n + 1)) / (2 * std::pow(x, n + 1));
  for (int k = 1; k <= 6; ++k)
    rest += kBernoulli[k - 1] * std::tgamma(Real(2 * k + n)) /
            (std::tgamma(Real(2 * k + 1)) * std::pow(x, 2 * k + n));
  return sum + (n % 2 ? rest : -rest);
}
// Where a rising function has that value, between two numbers.
inline Real solved(const std::function<Real(Real)>& f, Real value, Real low, Real high) {
  for (int i = 0; i < 100; ++i) {
    const Real middle = (low + high) / 2;
    (f(middle) < value ? low : high) = middle;
  }
  return (low + high) / 2;
}
inline Real bessel_reference(int order, Real x) {
  Real term = order == 0 ? 1 : x / 2, sum = term;
  for (int k = 1; k < 100; ++k) sum += term *= x * x / (4 * Real(k) * (k + order));
  return sum;
}
inline Real gamma_reference(Real a, Real x) {
  Real term = 1 / a, sum = term;
  for (int k = 1; k < 200; ++k) sum += term *= x / (a + k);
  return sum * std::exp(a * std::log(x) - x - std::lgamma(a));
}

inline Real gamma_slope_reference(Real a, Real x) {  // dP/da, term by term
  Real term = 1 / a, sum = term, slope = -1 / (a * a), slopes = slope;
  for (int k = 1; k < 200; ++k) {
    slope = (slope * x - term * x / (a + k)) / (a + k);
    term *= x / (a + k);
    sum += term;
    slopes += slope;
  }
  return std::exp(a * std::log(x) - x - std::lgamma(a)) *
         (sum * (std::log(x) - psi_reference(0, a)) + slopes);
}

inline OpCase special_case(const std::string& op, double low, double high,
                           std::function<Tensor(const std::vector<Tensor>&)> apply,
                           const std::function<Real(Real, Real)>& value, int inputs = 1,
                           unsigned differentiable = ~0u) {
  OpCase c{.op = op, .family = "special functions", .dtypes = {kF32, kF64}, .forms = {}};
  std::vector<std::vector<Shape>> shapes;
  for (const Shape& s : plain_shapes()) shapes.emplace_back(inputs, s);
  if (inputs == 2) {
    shapes.push_back({{3, 5}, {5}});
    shapes.push_back({{2, 3, 0}, {3, 1}});
  }
  for (const auto& s : shapes)
    c.forms.push_back(
        {.what = text_of(s),
         .inputs = random_inputs(s, low, high),
         .apply = apply,
         .reference =
             [value](const std::vector<Host>& in) {
               const Shape shape =
                   in.size() == 1 ? in[0].shape : joined_shape(in[0].shape, in[1].shape);
               return host_made(shape, in[0].dtype, [&](const auto& index) {
                 return value(at(in[0], index), in.size() == 1 ? 0 : at(in[1], index));
               });
             },
         .differentiable = differentiable});
  // Of f32 rounded once; of f64 a sum and a few functions of the C library.
  c.tolerance = [](DType t) { return Tolerance{.ulps = t == kF64 ? 48.0 : 0.51}; };
  c.special_values = false;  // tests/ops/special_test.cpp
  return c;
}

inline void add_special(std::vector<OpCase>* cases) {
#define ONE(function) [](const std::vector<Tensor>& t) { return function(t[0]); }
#define TWO(function) [](const std::vector<Tensor>& t) { return function(t[0], t[1]); }
#define REAL(expression) [](Real a, [[maybe_unused]] Real b) -> Real { return expression; }
  const Real root_half = std::sqrt(Real(0.5));
  const auto phi = [root_half](Real x) { return std::erfc(-x * root_half) / 2; };
  const auto add = [&](OpCase c) { cases->push_back(std::move(c)); };
  add(special_case("lgamma", 2.3, 9, ONE(lgamma), REAL(std::lgamma(a))));
  add(special_case("digamma", 2, 9, ONE(digamma), REAL(psi_reference(0, a))));
  add(special_case(
      "polygamma", 0.5, 9, [](const std::vector<Tensor>& t) { return polygamma(2, t[0]); },
      REAL(psi_reference(2, a))));
  add(special_case("erfc", -3, 5, ONE(erfc), REAL(std::erfc(a))));
  add(special_case("erfcx", -2, 12, ONE(erfcx), REAL(std::exp(a * a) * std::erfc(a))));
  add(special_case("erfinv", -0.9, 0.9, ONE(erfinv),
                   REAL(solved([](Real x) { return std::erf(x); }, a, -4, 4))));
  add(special_case("ndtri", 0.02, 0.98, ONE(ndtri),
                   [phi](Real a, Real) { return solved(phi, a, -9, 9); }));
  add(special_case("log_ndtr", -6, 2, ONE(log_ndtr),
                   [phi](Real a, Real) { return std::log(phi(a)); }));
  add(special_case("i0", -6, 6, ONE(i0), REAL(bessel_reference(0, a))));
  add(special_case("i0e", -6, 6, ONE(i0e), REAL(bessel_reference(0, a) * std::exp(-std::abs(a)))));
  add(special_case("i1", -6, 6, ONE(i1), REAL(bessel_reference(1, a))));
  add(special_case("i1e", -6, 6, ONE(i1e), REAL(bessel_reference(1, a) * std::exp(-std::abs(a)))));
  add(special_case("gammainc", 0.3, 5, TWO(gammainc), REAL(gamma_reference(a, b)), 2, 2));
  add(special_case("gammaincc", 0.3, 5, TWO(gammaincc), REAL(1 - gamma_reference(a, b)), 2, 2));
  OpCase slope = special_case(
      "gammainc_by_a", 0.3, 5,
      [](const std::vector<Tensor>& t) { return gammainc_by_a(t[0], t[1]); },
      REAL(gamma_slope_reference(a, b)), 2, 2);
  // What P's logarithm and its sum contribute all but cancels in places.
  slope.tolerance = [](DType t) { return Tolerance{.ulps = t == kF64 ? 400.0 : 0.51}; };
  slope.special_values = slope.extreme_values = false;
  add(std::move(slope));
  OpCase next = special_case("nextafter", -4, 4, TWO(nextafter), {}, 2);
  for (Form& form : next.forms)
    form.reference = [](const std::vector<Host>& in) {
      const DType t = in[0].dtype;
      return host_made(joined_shape(in[0].shape, in[1].shape), t, [&](const auto& index) -> Real {
        const Real a = at(in[0], index), b = at(in[1], index);
        return t == kF32 ? Real(std::nextafter(static_cast<float>(a), static_cast<float>(b)))
                         : Real(std::nextafter(static_cast<double>(a), static_cast<double>(b)));
      });
    };
  next.tolerance = [](DType) { return Tolerance{.ulps = 0}; };
  add(std::move(next));
  OpCase exponent = special_case(
      "exponent", -9, 9, [](const std::vector<Tensor>& t) { return frexp(t[0]).exponent; }, {});
  for (Form& form : exponent.forms)
    form.reference = [](const std::vector<Host>& in) {
      return host_made(in[0].shape, kI32, [&](const auto& index) -> Real {
        int e = 0;
        std::frexp(at(in[0], index), &e);
        return e;
      });
    };
  add(std::move(exponent));
  OpCase divisor =
      special_case("gcd", -60, 60, TWO(gcd),
                   REAL(std::gcd(static_cast<int64_t>(a), static_cast<int64_t>(b))), 2);
  divisor.dtypes = {kU8, kI8, kI32, kI64};
  add(std::move(divisor));
#undef REAL
#undef TWO
#undef ONE
}

// ---- Scans, searches, positions ----

inline void add_running(std::vector<OpCase>* cases) {
  OpCase largest{
      .op = "arg_cummax", .family = "scans and orders", .dtypes = kAllDTypes, .forms = {}};
  OpCase least{.op = "arg_cummin", .family = "scans and orders", .dtypes = kAllDTypes, .forms = {}};
  OpCase sums{.op = "logcumsumexp", .family = "scans and orders", .dtypes = kFloats, .forms = {}};
  sums.tolerance = [](DType t) {
    return Tolerance{.ulps = t == kF64 ? 400.0 : t == kF32 ? 2.0 : 0.51};
  };
  sums.extreme_values = false;
  for (const auto& [shape, axis] : lines()) {
    const std::string what = shape.str() + " along " + std::to_string(axis);
    for (OpCase* c : {&largest, &least}) {
      const bool max = c == &largest;
      c->forms.push_back({.what = what,
                          .inputs = random_inputs({shape}, -4, 4),
                          .apply =
                              [axis = axis, max](const auto& t) {
                                return (max ? cummax(t[0], axis) : cummin(t[0], axis)).second;
                              },
                          .reference =
                              [axis = axis, max](const std::vector<Host>& in) {
                                Host out = host_filled(in[0].shape, kI64);
                                each_line(in[0].shape, axis, [&](const auto& line) {
                                  size_t best = 0;
                                  for (size_t i = 0; i < line.size(); ++i) {
                                    const Real x = in[0][line[i]], y = in[0][line[best]];
                                    if (std::isnan(x) ||
                                        (!std::isnan(y) && (max ? x >= y : x <= y)))
                                      best = i;
                                    out[line[i]] = best;
                                  }
                                });
                                return out;
                              }});
    }
    sums.forms.push_back(
        {.what = what,
         .inputs = random_inputs({shape}, -4, 4),
         .apply = [axis = axis](const auto& t) { return logcumsumexp(t[0], axis); },
         .reference =
             [axis = axis](const std::vector<Host>& in) {
               Host out = in[0];
               each_line(out.shape, axis, [&](const auto& line) {
                 Real sum = 0;
                 for (int64_t p : line) out[p] = std::log(sum += std::exp(in[0][p]));
               });
               return out;
             }});
  }
  for (OpCase* c : {&largest, &least, &sums}) cases->push_back(std::move(*c));
}

inline void add_searches(std::vector<OpCase>* cases) {
  OpCase c{.op = "searchsorted", .family = "positions", .dtypes = kAllDTypes, .forms = {}};
  const std::vector<std::vector<Shape>> shapes{
      {{5}, {4}},       {{1}, {}},
      {{0}, {3}},       {{7}, {2, 3, 2}},
      {{2, 5}, {2, 4}}, {{2, 1, 3}, {2, 1, 0}},
      {{500}, kLarge},  {{2, 1, 1, 1, 1, 1, 1, 4}, {2, 1, 1, 1, 1, 1, 1, 3}}};
  for (const auto& s : shapes) {
    for (bool right : {false, true})
      c.forms.push_back(
          {.what = text_of(s) + (right ? ", right" : ""),
           .inputs =
               [s](DType t, Numbers& numbers) {
                 std::vector<Host> in{random_host(s[0], t, -4, 4, numbers),
                                      random_host(s[1], t, -4, 4, numbers)};
                 const int64_t n = s[0].size(-1);
                 for (int64_t i = 0; n > 0 && i < in[0].size(); i += n)
                   std::sort(in[0].values.begin() + i, in[0].values.begin() + i + n);
                 return in;
               },
           .apply = [right](const auto& t) { return searchsorted(t[0], t[1], {.right = right}); },
           .reference =
               [right](const std::vector<Host>& in) {
                 Host out = host_filled(in[1].shape, kI64);
                 const int64_t n = in[0].shape.size(-1), lines = n ? in[0].size() / n : 1;
                 for (int64_t i = 0; i < out.size(); ++i) {
                   const int64_t line = i / std::max<int64_t>(out.size() / lines, 1);
                   for (int64_t k = 0; k < n; ++k) {
                     const Real x = in[0][line * n + k];
                     out[i] += right ? x <= in[1][i] : x < in[1][i];
                   }
                 }
                 return out;
               }});
  }
  c.special_values = c.any_layout = false;  // the sequence would no longer rise
  cases->push_back(std::move(c));
}

inline void add_reductions_at(std::vector<OpCase>* cases) {
  OpCase c{.op = "scatter_reduce",
           .family = "positions",
           .dtypes = {kBool, kU8, kI8, kI32, kI64, kF32, kF64},
           .forms = {}};
  const std::vector<Indexing> elements{
      {{4}, {3}, {3}, 0},
      {{3, 4}, {3, 6}, {3, 6}, 1, kI32},
      {{2, 3, 2}, {2, 4, 2}, {2, 4, 2}, 1},
      {{3, 4}, {0, 4}, {0, 4}, 0},
      {{1, 2, 1, 2, 3, 1, 2, 1}, {1, 2, 1, 2, 2, 1, 2, 1}, {1, 2, 1, 2, 2, 1, 2, 1}, 4},
      {kLarge, {300, 260}, {300, 260}, 1, kI32}};
  for (const Indexing& call : elements) {
    for (ScatterReduction how :
         {ScatterReduction::kProd, ScatterReduction::kAmax, ScatterReduction::kAmin}) {
      const int axis = call.axis;
      c.forms.push_back(indexing(
          call, [axis, how](const auto& t) { return scatter_reduce(t[0], t[1], t[2], axis, how); },
          [axis, how](const std::vector<Host>& in) {
            Host out = in[0];
            each_gathered(in[0], in[1], axis, [&](int64_t to, int64_t from) {
              const Real x = out[to], s = in[2][from];
              if (how == ScatterReduction::kProd)
                out[to] = is_float(out.dtype) ? x * s
                          : out.dtype == kBool
                              ? x * s
                              : wrapped(static_cast<Wide>(x) * static_cast<Wide>(s), out.dtype);
              else if (how == ScatterReduction::kAmax)
                out[to] = nan_or_greater(x, s);
              else
                out[to] = nan_or_lesser(x, s);
            });
            return out;
          }));
    }
  }
  c.extreme_values = c.special_values = false;  // products of several round on the way
  c.tolerance = [](DType) { return Tolerance{.ulps = 8}; };
  cases->push_back(std::move(c));
}

}  // namespace glia::test
