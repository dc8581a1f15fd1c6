// Functions whose results are sums of many numbers, and how far from f64 they may be in f32. A
// function of the header's sections of such functions that is not here fails numerics_test.
#pragma once

#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "glia/ops.h"

namespace glia::test {

// In roundings: halves of the last place of an f32.
struct NumericCase {
  using Function = std::function<Tensor(const Tensor&, const Axes&)>;
  std::string name;  // in glia/ops.h
  double bound;      // roundings of `scale`
  Function f;        // over axes, or for `by_line` over one
  Function scale;    // what an error is relative to, for each result
  bool by_line = false;
  std::string what = "";
  // Of numbers between -1 and 1 only: others are out of range.
  bool small = false;
  bool halves = true;  // whether 16-bit results are rounded once
};

// Sections of glia/ops.h, and what of these adds up nothing that is rounded.
inline const std::set<std::string> kSummingSections{"Reductions", "Scans and sorting",
                                                    "Softmax, losses, normalisation"};
inline const std::set<std::string> kSumNothing{"any",  "all",     "argmax", "argmin",
                                               "sort", "argsort", "topk",   "dropout"};

inline std::vector<NumericCase> numeric_cases() {
  using X = const Tensor&;
  using A = const Axes&;
  const auto axis = [](A a) { return static_cast<int>(a[0]); };
  const auto of_f = [](auto f) { return [f](X x, A a) { return abs(f(x, a)); }; };
  const auto mean_size = [](X x, A a) { return mean(abs(x), a); };
  // What is left of a sum that cancels: of f64's own roundings, far below.
  const auto with_rest = [](const Tensor& y, const Tensor& size) { return abs(y) + 1e-8 * size; };
  // Axes apart are reduced one after the other, and what is between is rounded.
  const auto between = [](X x, A a) {
    if (a.size() < 2 || a[1] == a[0] + 1) return 1e-8 * sum(abs(x), a);
    return sum(abs(sum(x, {a[1]}, true)), a);
  };
  const auto u = std::ldexp(1.0, -24);
  std::vector<NumericCase> out;

  // ---- Reductions: sums are rounded once, means and variances twice
  out.push_back({"sum", 1.001, [](X x, A a) { return sum(x, a); },
                 [=](X x, A a) { return abs(sum(x, a)) + between(x, a); }});
  out.push_back({"mean", 2.001, [](X x, A a) { return mean(x, a); },
                 [=](X x, A a) {
                   const Tensor size = sum(x, a);
                   return (abs(size) + between(x, a)) / (sum(ones_like(x), a));
                 }});
  const auto fused = [](X x, A a) { return mean(square(x) + x, a); };
  out.push_back({"mean", 4, fused, [=](X x, A a) { return fused(abs(x), a); }, false, "of more",
                 false, false});
  // Relative to itself, or to the square of what rounding leaves of a mean; of short rows, whose
  // differences are computed before, three times.
  out.push_back({"var", 3, [](X x, A a) { return var(x, a); },
                 [=](X x, A a) { return var(x, a) + square(mean_size(x, a) * u); }});
  out.push_back({"max", 0, [](X x, A a) { return max(x, a); }, mean_size});
  out.push_back({"min", 0, [](X x, A a) { return min(x, a); }, mean_size});
  const auto product = [](X x, A a) { return prod(x, a); };
  out.push_back({"prod", 1.001, product, of_f(product), false, "", true});
  out.push_back({"logsumexp", 2.5, [](X x, A a) { return logsumexp(x, a); },
                 [](X x, A a) { return abs(logsumexp(x, a)) + 1; }});

  // ---- Scans: each number is rounded once
  const auto sums = [=](X x, A a) { return cumsum(x, axis(a)); };
  out.push_back({"cumsum", 1.001, sums,
                 [=](X x, A a) { return with_rest(sums(x, a), cumsum(abs(x), axis(a))); }, true});
  const auto products = [=](X x, A a) { return cumprod(x, axis(a)); };
  out.push_back({"cumprod", 1.001, products, of_f(products), true, "", true});

  // ---- Of lines: exponents are as far off as their distance from the largest is large
  const auto below = [](X x, A a) { return max(x, a, true) - x; };
  const auto shares = [=](X x, A a) { return softmax(x, axis(a)); };
  out.push_back(
      {"softmax", 4, shares, [=](X x, A a) { return shares(x, a) * (1 + below(x, a)); }, true});
  const auto logs = [=](X x, A a) { return log_softmax(x, axis(a)); };
  out.push_back(
      {"log_softmax", 3, logs, [=](X x, A a) { return abs(logs(x, a)) + below(x, a) + 1; }, true});
  const auto distance = [](X x, A a) {
    return abs(mean(x, a, true)) / sqrt(var(x, a, true, 0) + 1e-5);
  };
  // The mean, too, is rounded: relative to how far it lies from zero in deviations.
  const auto normalised = [=](NumericCase::Function f) {
    return [=](X x, A a) { return 1 + 2 * abs(f(x, a)) + distance(x, a); };
  };
  const auto last = [](X x, A a) {  // the axis put last
    return a[0] == 0 ? permute(x, {1, 0}) : x;
  };
  const auto layer = [=](X x, A a) {
    return permute(layer_norm(last(x, a), {}, {}), a[0] == 0 ? Axes{1, 0} : Axes{0, 1});
  };
  out.push_back({"layer_norm", 3, layer, normalised(layer), true});
  const auto batch = [=](X x, A a) {
    const Tensor t = a[0] == 0 ? x : permute(x, {1, 0});
    return permute(batch_norm(t, {}, {}).out, a[0] == 0 ? Axes{0, 1} : Axes{1, 0});
  };
  out.push_back({"batch_norm", 3, batch, normalised(batch), true});

  // ---- Losses: of the same numbers turned around
  const auto target = [](X x) { return flip(x, {0, 1}); };
  const auto classes = [](X x) { return remainder(arange(x.size(0)) * 7, x.size(1)); };
  const auto loss = [&](const std::string& name, double bound, auto f, auto scale) {
    out.push_back(
        {name, bound, [=](X x, A) { return f(x); }, [=](X x, A) { return scale(x); }, true});
  };
  const auto positive = [&](const std::string& name, double bound, auto f) {
    loss(name, bound, f, f);
  };
  positive("mse_loss", 4, [=](X x) { return mse_loss(x, target(x)); });
  positive("l1_loss", 3, [=](X x) { return l1_loss(x, target(x)); });
  positive("smooth_l1_loss", 4, [=](X x) { return smooth_l1_loss(x, target(x)); });
  positive("cross_entropy", 4, [=](X x) { return cross_entropy(x, classes(x)); });
  loss(
      "nll_loss", 2.001, [=](X x) { return nll_loss(x, classes(x)); },
      [=](X x) { return nll_loss(-abs(x), classes(x)); });
  positive("binary_cross_entropy_with_logits", 6, [=](X x) {
    return binary_cross_entropy_with_logits(x, full(x.shape(), 0.25, x.dtype()));
  });
  return out;
}

}  // namespace glia::test
