// The test functions of More, Garbow & Hillstrom 1981 ("Testing unconstrained optimization
// software", ACM TOMS 7): residuals, whose sum of squares is to be least, with the paper's starts
// and its minima (those of the paper, in its digits).
#pragma once

#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "glia/math/optimize.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "glia/ops/special.h"

namespace glia::mgh {

struct Case {
  std::string name;
  optimize::Function residuals;
  std::vector<double> start;
  std::vector<double> minima;  // sums of squares; the first is the least
  std::vector<double> x = {};  // where the first one is
};

inline Tensor of(const Tensor& x, int64_t i) { return index(x, {i}); }
inline Tensor line(const std::vector<double>& v) {
  return from_vector(v, {static_cast<int64_t>(v.size())});
}
// first, first + 1, ..., as f64.
inline Tensor count(int64_t n, double first = 1) { return arange(0, n, 1, kF64) + first; }
inline std::vector<double> repeated(const std::vector<double>& part, int times) {
  std::vector<double> out;
  for (int i = 0; i < times; ++i) out.insert(out.end(), part.begin(), part.end());
  return out;
}
inline Tensor inside(const Tensor& x, int64_t shift) {  // neighbours, zeros beyond both ends
  const Tensor none = zeros({1}, kF64);
  const int64_t n = x.size(0);
  return shift > 0 ? concat({slice(x, 0, {1, n}), none}) : concat({none, slice(x, 0, {0, n - 1})});
}

inline std::vector<Case> cases() {
  using T = const Tensor&;
  const Tensor kowalik_y = line(
      {0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246});
  const Tensor kowalik_u = line({4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625});
  const Tensor bard_y = line(
      {0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39});
  const Tensor gauss_y = line({0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989,
                               0.3521, 0.2420, 0.1295, 0.0540, 0.0175, 0.0044, 0.0009});
  const Tensor meyer_y = line({34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030,
                               6005, 5147, 4427, 3820, 3307, 2872});
  std::vector<Case> all;
  const auto add = [&](const char* name, optimize::Function f, std::vector<double> start,
                       std::vector<double> minima, std::vector<double> x = {}) {
    all.push_back({name, std::move(f), std::move(start), std::move(minima), std::move(x)});
  };
  add("Rosenbrock",
      [](T x) {
        return stack({10 * (of(x, 1) - square(of(x, 0))), 1 - of(x, 0)});
      },
      {-1.2, 1}, {0}, {1, 1});
  add("Freudenstein and Roth",
      [](T x) {
        const Tensor a = of(x, 0), b = of(x, 1);
        return stack({a - 13 + ((5 - b) * b - 2) * b, a - 29 + ((b + 1) * b - 14) * b});
      },
      {0.5, -2}, {0, 48.98425368}, {5, 4});
  add("Powell badly scaled",
      [](T x) {
        return stack({1e4 * of(x, 0) * of(x, 1) - 1, exp(-of(x, 0)) + exp(-of(x, 1)) - 1.0001});
      },
      {0, 1}, {0});
  add("Brown badly scaled",
      [](T x) {
        return stack({of(x, 0) - 1e6, of(x, 1) - 2e-6, of(x, 0) * of(x, 1) - 2});
      },
      {1, 1}, {0}, {1e6, 2e-6});
  add("Beale",
      [](T x) {
        return line({1.5, 2.25, 2.625}) - of(x, 0) * (1 - pow(of(x, 1), count(3)));
      },
      {1, 1}, {0}, {3, 0.5});
  add("Jennrich and Sampson",
      [](T x) {
        const Tensor i = count(10);
        return 2 + 2 * i - exp(i * of(x, 0)) - exp(i * of(x, 1));
      },
      {0.3, 0.4}, {124.3621824}, {0.2578252, 0.2578252});
  add("Helical valley",
      [](T x) {
        const Tensor turn = atan2(of(x, 1), of(x, 0)) / (2 * std::numbers::pi);
        return stack({10 * (of(x, 2) - 10 * turn),
                      10 * (sqrt(square(of(x, 0)) + square(of(x, 1))) - 1), of(x, 2)});
      },
      {-1, 0.01, 0}, {0}, {1, 0, 0});
  add("Bard",
      [bard_y](T x) {
        const Tensor u = count(15), v = 16 - u, w = minimum(u, v);
        return bard_y - (of(x, 0) + u / (v * of(x, 1) + w * of(x, 2)));
      },
      {1, 1, 1}, {8.214877307e-3, 17.42869333});
  add("Gaussian",
      [gauss_y](T x) {
        const Tensor t = (8 - count(15)) / 2;
        return of(x, 0) * exp(-of(x, 1) * square(t - of(x, 2)) / 2) - gauss_y;
      },
      {0.4, 1, 0}, {1.127932770e-8});
  add("Meyer",
      [meyer_y](T x) {
        const Tensor t = 45 + 5 * count(16);
        return of(x, 0) * exp(of(x, 1) / (t + of(x, 2))) - meyer_y;
      },
      {0.02, 4000, 250}, {87.94585517});
  add("Box three-dimensional",
      [](T x) {
        const Tensor t = count(10) / 10;
        return exp(-t * of(x, 0)) - exp(-t * of(x, 1)) - of(x, 2) * (exp(-t) - exp(-10 * t));
      },
      {0, 10, 20}, {0});
  add("Powell singular",
      [](T x) {
        return stack({of(x, 0) + 10 * of(x, 1), std::sqrt(5.0) * (of(x, 2) - of(x, 3)),
                      square(of(x, 1) - 2 * of(x, 2)),
                      std::sqrt(10.0) * square(of(x, 0) - of(x, 3))});
      },
      {3, -1, 0, 1}, {0});
  add("Wood",
      [](T x) {
        return stack({10 * (of(x, 1) - square(of(x, 0))), 1 - of(x, 0),
                      std::sqrt(90.0) * (of(x, 3) - square(of(x, 2))), 1 - of(x, 2),
                      std::sqrt(10.0) * (of(x, 1) + of(x, 3) - 2),
                      (of(x, 1) - of(x, 3)) / std::sqrt(10.0)});
      },
      {-3, -1, -3, -1}, {0}, {1, 1, 1, 1});
  add("Kowalik and Osborne",
      [kowalik_y, kowalik_u](T x) {
        const Tensor u = kowalik_u;
        return kowalik_y -
               of(x, 0) * (square(u) + u * of(x, 1)) / (square(u) + u * of(x, 2) + of(x, 3));
      },
      {0.25, 0.39, 0.415, 0.39}, {3.075056039e-4, 1.027340000e-3});
  add("Brown and Dennis",
      [](T x) {
        const Tensor t = count(20) / 5;
        return square(of(x, 0) + t * of(x, 1) - exp(t)) +
               square(of(x, 2) + of(x, 3) * sin(t) - cos(t));
      },
      {25, 5, -5, -1}, {85822.20163});
  add("Biggs EXP6",
      [](T x) {
        const Tensor t = count(13) / 10;
        const Tensor y = exp(-t) - 5 * exp(-10 * t) + 3 * exp(-4 * t);
        return of(x, 2) * exp(-t * of(x, 0)) - of(x, 3) * exp(-t * of(x, 1)) +
               of(x, 5) * exp(-t * of(x, 4)) - y;
      },
      {1, 2, 1, 1, 1, 1}, {0, 5.655649926e-3});
  add("Watson",
      [](T x) {
        const int64_t n = x.size(0);
        const Tensor t = unsqueeze(count(29) / 29, 1), k = count(n, 0);
        const Tensor slope = sum(k * x * where(k == 0, 0, pow(t, k - 1)), {1});
        const Tensor value = sum(x * pow(t, k), {1});
        return concat(
            {slope - square(value) - 1, stack({of(x, 0), of(x, 1) - square(of(x, 0)) - 1})});
      },
      std::vector<double>(6), {2.287670054e-3});
  add(
      "Extended Rosenbrock",
      [](T x) {
        const Tensor odd = slice(x, 0, {0, 20, 2}), even = slice(x, 0, {1, 20, 2});
        return concat({10 * (even - square(odd)), 1 - odd});
      },
      repeated({-1.2, 1}, 10), {0}, std::vector<double>(20, 1));
  add("Penalty I",
      [](T x) {
        return concat({std::sqrt(1e-5) * (x - 1), reshape(sum(square(x)) - 0.25, {1})});
      },
      {1, 2, 3, 4}, {2.249977500e-5});
  add(
      "Variably dimensioned",
      [](T x) {
        const Tensor s = reshape(sum(count(10) * (x - 1)), {1});
        return concat({x - 1, s, square(s)});
      },
      [] {
        std::vector<double> x;
        for (int i = 1; i <= 10; ++i) x.push_back(1 - i / 10.0);
        return x;
      }(),
      {0}, std::vector<double>(10, 1));
  add("Trigonometric", [](T x) { return 10 - sum(cos(x)) + count(10) * (1 - cos(x)) - sin(x); },
      std::vector<double>(10, 0.1), {0, 2.795056122e-5});
  add("Brown almost linear",
      [](T x) {
        return concat({slice(x, 0, {0, 9}) + sum(x) - 11, reshape(prod(x) - 1, {1})});
      },
      std::vector<double>(10, 0.5), {0, 1});
  add(
      "Discrete boundary value",
      [](T x) {
        const double h = 1.0 / 11;
        const Tensor t = h * count(10);
        return 2 * x - inside(x, -1) - inside(x, 1) + h * h / 2 * pow(x + t + 1, 3);
      },
      [] {
        std::vector<double> x;
        for (int i = 1; i <= 10; ++i) x.push_back(i / 11.0 * (i / 11.0 - 1));
        return x;
      }(),
      {0});
  add("Broyden tridiagonal",
      [](T x) { return (3 - 2 * x) * x - inside(x, -1) - 2 * inside(x, 1) + 1; },
      std::vector<double>(10, -1), {0});
  add(
      "Linear, full rank",
      [](T x) {
        return concat({x - 2.0 / 20 * sum(x) - 1, full({10}, 1, kF64) * (-2.0 / 20 * sum(x) - 1)});
      },
      std::vector<double>(10, 1), {10}, std::vector<double>(10, -1));
  add("Linear, rank 1", [](T x) { return count(20) * sum(count(10) * x) - 1; },
      std::vector<double>(10, 1), {20.0 * 19 / (2 * 41)});
  add(
      "Chebyquad",
      [](T x) {
        const int64_t n = x.size(0);
        std::vector<Tensor> rows;
        Tensor before = ones({n}, kF64), now = 2 * x - 1;
        const Tensor first = now;
        for (int64_t i = 1; i <= n; ++i) {
          const auto k = static_cast<double>(i);
          rows.push_back(mean(now) + (i % 2 == 0 ? 1 / (k * k - 1) : 0));
          const Tensor next = 2 * first * now - before;
          before = now, now = next;
        }
        return stack(rows);
      },
      [] {
        std::vector<double> x;
        for (int i = 1; i <= 8; ++i) x.push_back(i / 9.0);
        return x;
      }(),
      {3.516873726e-3});
  return all;
}

}  // namespace glia::mgh
