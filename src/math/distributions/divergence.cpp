// Kullback-Leibler divergences. Of two families it is -H(p) - E_p log q, where log q is made of a
// few expectations: of x, x^2, log x, ... Those that p has, by formula, stand in Facts. Of one
// family with itself that would cancel where both are near: these pairs have their own formulas.
#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "glia/linalg.h"
#include "glia/math/special.h"
#include "math/distributions/categories.h"
#include "math/distributions/gaussian.h"
#include "math/distributions/map.h"
#include "math/distributions/univariate.h"

namespace glia::distributions {
namespace {

using Rule = std::function<Tensor(const Law& p, const Law& q)>;

// ---- What is known of p ----

struct Facts {
  Tensor log, log_rest;                           // E log x, E log(1 - x)
  std::function<Tensor(const Tensor&)> decay;     // E e^(-t x)
  std::function<Tensor(const Tensor&)> distance;  // E |x - m|
  Tensor low, high;                               // undefined: infinite
};

// (x log x from low to high) / width - 1.
Tensor mean_log(const Tensor& low, const Tensor& high) {
  return (times(high, log(high)) - times(low, log(low))) / (high - low) - 1;
}

const std::map<std::string, std::function<Facts(const Law&)>>& known() {
  static const std::map<std::string, std::function<Facts(const Law&)>> all{
      {"Normal",
       [](const Law& p) {
         const Tensor m = p.at("loc"), s = p.at("scale");
         return Facts{.decay = [=](const Tensor& t) { return exp(square(s * t) / 2 - m * t); },
                      .distance =
                          [=](const Tensor& at) {
                            const Tensor off = m - at, z = off / s;
                            return s * std::sqrt(2 / kPi) * exp(square(z) * -0.5) +
                                   off * erf(z * std::sqrt(0.5));
                          }};
       }},
      {"Laplace",
       [](const Law& p) {
         const Tensor m = p.at("loc"), s = p.at("scale");
         return Facts{.decay =
                          [=](const Tensor& t) {
                            const Tensor rest = 1 - square(s * t), none = rest <= 0;
                            return where(none, kInf, exp(-m * t) / where(none, 1, rest));
                          },
                      .distance =
                          [=](const Tensor& at) {
                            const Tensor off = abs(m - at);
                            return off + s * exp(-off / s);
                          }};
       }},
      {"Gumbel",
       [](const Law& p) {
         const Tensor m = p.at("loc"), s = p.at("scale");
         return Facts{.decay = [=](const Tensor& t) { return exp(lgamma(1 + s * t) - m * t); }};
       }},
      {"Exponential",
       [](const Law& p) {
         const Tensor r = p.at("rate");
         return Facts{.log = -kEuler - log(r),
                      .decay = [=](const Tensor& t) { return r / (r + t); },
                      .low = p.constant(0)};
       }},
      {"Gamma",
       [](const Law& p) {
         const Tensor a = p.at("concentration"), r = p.at("rate");
         return Facts{.log = digamma(a) - log(r),
                      .decay = [=](const Tensor& t) { return exp(-a * log1p(t / r)); },
                      .low = p.constant(0)};
       }},
      {"InverseGamma",
       [](const Law& p) {
         return Facts{.log = log(p.at("rate")) - digamma(p.at("concentration")),
                      .low = p.constant(0)};
       }},
      {"LogNormal", [](const Law& p) { return Facts{.log = p.at("loc"), .low = p.constant(0)}; }},
      {"Weibull",
       [](const Law& p) {
         return Facts{.log = log(p.at("scale")) - kEuler / p.at("concentration"),
                      .low = p.constant(0)};
       }},
      {"HalfNormal",
       [](const Law& p) {
         return Facts{.log = log(p.at("scale")) - (kEuler + std::log(2.0)) / 2,
                      .low = p.constant(0)};
       }},
      {"Pareto",
       [](const Law& p) {
         return Facts{.log = log(p.at("scale")) + 1 / p.at("alpha"), .low = p.at("scale")};
       }},
      {"Beta",
       [](const Law& p) {
         const Tensor a = p.at("concentration1"), b = p.at("concentration0");
         const Tensor all = digamma(a + b);
         return Facts{.log = digamma(a) - all,
                      .log_rest = digamma(b) - all,
                      .low = p.constant(0),
                      .high = p.constant(1)};
       }},
      {"Kumaraswamy",
       [](const Law& p) {
         const Tensor a = p.at("concentration1"), b = p.at("concentration0");
         return Facts{
             .log = (-kEuler - digamma(b + 1)) / a, .low = p.constant(0), .high = p.constant(1)};
       }},
      {"ContinuousBernoulli",
       [](const Law& p) { return Facts{.low = p.constant(0), .high = p.constant(1)}; }},
      {"Uniform",
       [](const Law& p) {
         const Tensor l = p.at("low"), h = p.at("high");
         return Facts{.log = mean_log(l, h),
                      .log_rest = mean_log(1 - h, 1 - l),
                      .decay =
                          [=](const Tensor& t) {
                            return exp(-t * l) * -expm1(-t * (h - l)) / (t * (h - l));
                          },
                      .low = l,
                      .high = h};
       }},
      {"Triangular", [](const Law& p) { return Facts{.low = p.at("low"), .high = p.at("high")}; }},
      {"Logistic", [](const Law&) { return Facts{}; }},
  };
  return all;
}

// ---- E_p log q ----

const std::map<std::string, std::function<Tensor(const Law& p, const Facts& f, const Law& q)>>&
expectations() {
  static const std::map<std::string, std::function<Tensor(const Law&, const Facts&, const Law&)>>
      all{
          {"Normal",
           [](const Law& p, const Facts&, const Law& q) {
             const Tensor off = p.average() - q.at("loc"), s = q.at("scale");
             return (p.spread() + square(off)) / square(s) * -0.5 - log(s) - kHalfLog2Pi;
           }},
          {"Laplace",
           [](const Law&, const Facts& f, const Law& q) {
             const Tensor s = q.at("scale");
             return f.distance ? -log(2 * s) - f.distance(q.at("loc")) / s : Tensor();
           }},
          {"Gumbel",
           [](const Law& p, const Facts& f, const Law& q) {
             const Tensor m = q.at("loc"), s = q.at("scale");
             if (!f.decay) return Tensor();
             return -log(s) - (p.average() - m) / s - exp(m / s) * f.decay(1 / s);
           }},
          {"Exponential",
           [](const Law& p, const Facts&, const Law& q) {
             const Tensor r = q.at("rate");
             return log(r) - r * p.average();
           }},
          {"Gamma",
           [](const Law& p, const Facts& f, const Law& q) {
             const Tensor a = q.at("concentration"), r = q.at("rate");
             if (!f.log.defined()) return Tensor();
             return a * log(r) - lgamma(a) + (a - 1) * f.log - r * p.average();
           }},
          {"Pareto",
           [](const Law&, const Facts& f, const Law& q) {
             const Tensor a = q.at("alpha");
             if (!f.log.defined()) return Tensor();
             return log(a) + a * log(q.at("scale")) - (a + 1) * f.log;
           }},
          {"Beta",
           [](const Law&, const Facts& f, const Law& q) {
             const Tensor a = q.at("concentration1"), b = q.at("concentration0");
             if (!f.log.defined() || !f.log_rest.defined()) return Tensor();
             return (a - 1) * f.log + (b - 1) * f.log_rest - betaln(a, b);
           }},
          {"ContinuousBernoulli",
           [](const Law& p, const Facts&, const Law& q) {
             // Its logarithm is linear in x.
             const Tensor m = p.average(), at_0 = q.log_density(zeros({}, q.dtype));
             return at_0 + q.at("logits") * m;
           }},
          {"Uniform",
           [](const Law&, const Facts&, const Law& q) { return -log(q.at("high") - q.at("low")); }},
      };
  return all;
}

// Whether values of p lie outside q's bounds; undefined if q has none.
Tensor leaves(const Facts& p, const Facts& q) {
  Tensor out;
  if (q.low.defined()) out = p.low < q.low;
  if (q.high.defined()) out = out.defined() ? out | (p.high > q.high) : p.high > q.high;
  return out;
}
Tensor never_within(const Law& p, const Law& q) {
  return p.constant(kInf) + zeros(q.batch, q.dtype);
}

const char* family(const Law& law) { return law.name == "Chi2" ? "Gamma" : law.name.c_str(); }

Tensor by_expectations(const Law& p, const Law& q) {
  const auto of_p = known().find(family(p)), of_q = known().find(family(q));
  const auto expectation = expectations().find(family(q));
  if (of_p == known().end() || of_q == known().end() || expectation == expectations().end())
    return {};
  const Facts facts = of_p->second(p);
  const Facts bounds = of_q->second(q);
  if ((bounds.low.defined() && !facts.low.defined()) ||
      (bounds.high.defined() && !facts.high.defined()))
    return never_within(p, q);
  const Tensor outside = leaves(facts, bounds);
  const Tensor within = expectation->second(p, facts, q), own = p.information();
  if (!within.defined() || !own.defined())
    return outside.defined() && all(outside).item<bool>() ? never_within(p, q) : Tensor();
  const Tensor usual = -own - within;
  return outside.defined() ? where(outside, kInf, usual) : usual;
}

// ---- Of one family ----

Tensor of_normals(const Tensor& m, const Tensor& s, const Tensor& n, const Tensor& t) {
  const Tensor ratio = square(s / t);
  return (ratio - 1 - log(ratio) + square((m - n) / t)) / 2;
}
Tensor of_locations(const Law& p, const Law& q) {
  return of_normals(p.at("loc"), p.at("scale"), q.at("loc"), q.at("scale"));
}
Tensor of_half_normals(const Law& p, const Law& q) {
  const Tensor none = zeros({}, p.dtype);
  return of_normals(none, p.at("scale"), none, q.at("scale"));
}
Tensor of_gammas(const Law& p, const Law& q) {
  const Tensor a = p.at("concentration"), b = q.at("concentration");
  const Tensor r = p.at("rate"), s = q.at("rate");
  return b * log(r / s) + lgamma(b) - lgamma(a) + (a - b) * digamma(a) + (s - r) * a / r;
}
Tensor of_exponentials(const Law& p, const Law& q) {
  const Tensor ratio = q.at("rate") / p.at("rate");
  return ratio - 1 - log(ratio);
}
Tensor of_laplaces(const Law& p, const Law& q) {
  const Tensor s = p.at("scale"), t = q.at("scale"), off = abs(p.at("loc") - q.at("loc"));
  return log(t / s) + off / t + s / t * exp(-off / s) - 1;
}
Tensor of_cauchys(const Law& p, const Law& q) {
  const Tensor s = p.at("scale"), t = q.at("scale");
  return log((square(s + t) + square(p.at("loc") - q.at("loc"))) / (4 * s * t));
}
Tensor of_gumbels(const Law& p, const Law& q) {
  const Tensor s = p.at("scale"), t = q.at("scale"), off = (q.at("loc") - p.at("loc")) / t;
  const Tensor ratio = s / t;
  return -log(ratio) - off + kEuler * ratio + exp(off + lgamma(1 + ratio)) - (1 + kEuler);
}
Tensor of_weibulls(const Law& p, const Law& q) {
  const Tensor l = p.at("scale"), m = q.at("scale");
  const Tensor k = p.at("concentration"), n = q.at("concentration");
  return log(k / n) + n * log(m / l) + (n - k) * kEuler / k +
         exp(n * log(l / m) + lgamma(1 + n / k)) - 1;
}
Tensor of_paretos(const Law& p, const Law& q) {
  const Tensor ratio = q.at("alpha") / p.at("alpha"), from = p.at("scale"), to = q.at("scale");
  const Tensor usual = q.at("alpha") * log(from / to) - log(ratio) + ratio - 1;
  return where(from < to, kInf, usual);
}
Tensor of_uniforms(const Law& p, const Law& q) {
  const Tensor l = p.at("low"), h = p.at("high"), m = q.at("low"), n = q.at("high");
  return where((l < m) | (h > n), kInf, log((n - m) / (h - l)));
}
Tensor of_betas(const Law& p, const Law& q) {
  const Tensor a = p.at("concentration1"), b = p.at("concentration0");
  const Tensor c = q.at("concentration1"), d = q.at("concentration0");
  return betaln(c, d) - betaln(a, b) + (a - c) * digamma(a) + (b - d) * digamma(b) +
         (c - a + d - b) * digamma(a + b);
}
Tensor of_von_mises(const Law& p, const Law& q) {
  const Tensor k = p.at("concentration"), l = q.at("concentration");
  const Tensor ratio = i1e(k) / i0e(k), half = sin((p.at("loc") - q.at("loc")) / 2);
  return log(i0e(l) / i0e(k)) + (l - k) * (1 - ratio) + 2 * l * ratio * square(half);
}
Tensor of_dirichlets(const Law& p, const Law& q) {
  const Tensor a = p.at("concentration"), b = q.at("concentration");
  const Tensor all = sum(a, {-1});
  return lgamma(all) - lgamma(sum(b, {-1})) - sum(lgamma(a) - lgamma(b), {-1}) +
         sum((a - b) * (digamma(a) - unsqueeze(digamma(all), -1)), {-1});
}

// p (log_p - log_q), 0 where p is 0.
Tensor gap(const Tensor& p, const Tensor& log_p, const Tensor& log_q) {
  return times(p, where(p == 0, 0, log_p) - log_q);
}
Odds odds_of(const Law& law) {
  const bool logits = law.parameters[law.parameters.size() - 2].first == "logits";
  return Odds::of(law.at(logits ? "logits" : "probs"), logits);
}
Tensor of_bernoullis(const Law& p, const Law& q) {
  const Odds a = odds_of(p), b = odds_of(q);
  return gap(a.probs, a.log_p, b.log_p) + gap(1 - a.probs, a.log_q, b.log_q);
}
Tensor of_binomials(const Law& p, const Law& q) {
  const Tensor n = p.at("total_count"), m = q.at("total_count");
  if (any(n < m).item<bool>()) return {};  // no formula
  return where(n > m, kInf, n * of_bernoullis(p, q));
}
Tensor of_negative_binomials(const Law& p, const Law& q) {
  const Tensor n = p.at("total_count");
  if (!all(n == q.at("total_count")).item<bool>()) return {};
  const Odds a = odds_of(p);
  return n * of_bernoullis(p, q) / (1 - a.probs);
}
Tensor of_geometrics(const Law& p, const Law& q) { return of_bernoullis(p, q) / odds_of(p).probs; }
Tensor of_poissons(const Law& p, const Law& q) {
  const Tensor r = p.at("rate"), s = q.at("rate");
  return gap(r, log(r), log(s)) + s - r;
}
Tensor of_categories(const Law& p, const Law& q) {
  const auto &a = static_cast<const CategoryLaw&>(p), &b = static_cast<const CategoryLaw&>(q);
  if (a.count() != b.count()) return {};
  return sum(gap(a.probs, a.log_probs, b.log_probs), {-1});
}
Tensor of_multinomials(const Law& p, const Law& q) {
  const int64_t n = static_cast<const CategoryLaw&>(p).draws;
  const Tensor one = of_categories(p, q);
  const bool same = static_cast<const CategoryLaw&>(q).draws == n;
  return one.defined() && same ? static_cast<double>(n) * one : Tensor();
}
Tensor of_continuous_bernoullis(const Law& p, const Law& q) {
  const Tensor at = zeros({}, p.dtype);
  return p.average() * (p.at("logits") - q.at("logits")) + p.log_density(at) - q.log_density(at);
}

// ---- Normal vectors ----

Tensor t(const Tensor& x) { return transpose(x, -2, -1); }

// tr(Q^-1 M M^T), for columns M (..., D, N).
Tensor trace_through(const Law& q, const Tensor& columns) {
  if (const auto* full = dynamic_cast<const GaussianLaw*>(&q))
    return sum(square(linalg::solve_triangular(full->scale_tril, columns)), {-2, -1});
  return sum(static_cast<const LowRankGaussianLaw&>(q).squared_distances(t(columns)), {-1});
}
Tensor of_gaussians(const Law& p, const Law& q) {
  const auto half_log_det = [](const Law& law) {
    if (const auto* full = dynamic_cast<const GaussianLaw*>(&law)) return full->half_log_det();
    return static_cast<const LowRankGaussianLaw&>(law).half_log_det();
  };
  if (p.event != q.event) return {};
  Tensor trace;
  if (const auto* full = dynamic_cast<const GaussianLaw*>(&p)) {
    trace = trace_through(q, full->scale_tril);
  } else {
    const auto& low = static_cast<const LowRankGaussianLaw&>(p);
    trace = trace_through(q, low.factor()) + trace_through(q, diag_embed(sqrt(low.diagonal())));
  }
  const Tensor off = unsqueeze(p.at("loc") - q.at("loc"), -1);
  return half_log_det(q) - half_log_det(p) +
         (trace + trace_through(q, off) - static_cast<double>(p.event[0])) / 2;
}

// ---- Of made ones ----

Tensor of_independents(const Law& p, const Law& q) {
  const auto &a = static_cast<const IndependentLaw&>(p), &b = static_cast<const IndependentLaw&>(q);
  if (a.count != b.count) return {};
  return sum_last(kl_divergence(a.base, b.base), a.count);
}
Tensor of_transformed(const Law& p, const Law& q) {
  const auto &a = static_cast<const TransformedLaw&>(p), &b = static_cast<const TransformedLaw&>(q);
  if (p.event != q.event || !same(a.transforms, b.transforms)) return {};
  return kl_divergence(a.base, b.base);
}

// ---- Of discrete ones ----

Tensor bernoulli_to_poisson(const Law& p, const Law& q) {
  const Odds a = odds_of(p);
  const Tensor r = q.at("rate");
  return gap(a.probs, a.log_p, log(r)) + times(1 - a.probs, a.log_q) + r;
}
const std::map<std::pair<std::string, std::string>, Rule>& pairs() {
  static const std::map<std::pair<std::string, std::string>, Rule> all = [] {
    std::map<std::pair<std::string, std::string>, Rule> rules;
    const auto own = [&](const char* name, const Rule& rule) { rules[{name, name}] = rule; };
    own("Normal", of_locations);
    own("LogNormal", of_locations);
    own("HalfNormal", of_half_normals);
    own("Gamma", of_gammas);
    own("InverseGamma", of_gammas);
    own("Exponential", of_exponentials);
    own("Laplace", of_laplaces);
    own("Cauchy", of_cauchys);
    own("Gumbel", of_gumbels);
    own("Weibull", of_weibulls);
    own("Pareto", of_paretos);
    own("Uniform", of_uniforms);
    own("Beta", of_betas);
    own("VonMises", of_von_mises);
    own("Dirichlet", of_dirichlets);
    own("Bernoulli", of_bernoullis);
    own("Binomial", of_binomials);
    own("NegativeBinomial", of_negative_binomials);
    own("Geometric", of_geometrics);
    own("Poisson", of_poissons);
    own("Categorical", of_categories);
    own("OneHotCategorical", of_categories);
    own("OneHotCategoricalStraightThrough", of_categories);
    own("Multinomial", of_multinomials);
    own("ContinuousBernoulli", of_continuous_bernoullis);
    own("MultivariateNormal", of_gaussians);
    own("LowRankMultivariateNormal", of_gaussians);
    rules[{"MultivariateNormal", "LowRankMultivariateNormal"}] = of_gaussians;
    rules[{"LowRankMultivariateNormal", "MultivariateNormal"}] = of_gaussians;
    own("Independent", of_independents);
    own("TransformedDistribution", of_transformed);
    own("LogisticNormal", of_transformed);
    rules[{"Bernoulli", "Poisson"}] = bernoulli_to_poisson;
    rules[{"Poisson", "Bernoulli"}] = never_within;
    rules[{"Poisson", "Binomial"}] = never_within;
    return rules;
  }();
  return all;
}

}  // namespace

Tensor kl_divergence(const Distribution& p, const Distribution& q, Where where) {
  const Law &a = p.law(), &b = q.law();
  const auto rule = pairs().find({family(a), family(b)});
  Shape batch;
  try {
    batch = broadcast(a.batch, b.batch);
  } catch (const ShapeError& error) {
    throw ShapeError(fmt::format("kl_divergence: {} and {}: {}", a.name, b.name, error.what()),
                     where);
  }
  const Tensor d = rule != pairs().end() ? rule->second(a, b) : by_expectations(a, b);
  if (!d.defined())
    throw Error(fmt::format("kl_divergence: no formula for {} and {}", a.name, b.name), where);
  return expand(d, batch, where);
}

}  // namespace glia::distributions
