// One of each distribution of numbers, for the tests.
#pragma once

#include <functional>
#include <vector>

#include "glia/math/distributions.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"

namespace glia::distributions {

using In = std::vector<Tensor>;
inline Tensor f64(double x) { return full({}, x, kF64); }

// ---- One of each ----

struct Known {
  const char* name;
  std::vector<double> parameters;
  std::function<Distribution(const In&)> make;
};

#define ONE(family, ...)                                              \
  {                                                                   \
#family, {__VA_ARGS__ }, [](const In& p) { return family(p[0]); } \
  }
#define TWO(family, ...)                                                    \
  {                                                                         \
#family, {__VA_ARGS__ }, [](const In& p) { return family(p[0], p[1]); } \
  }
#define THREE(family, ...)                                                        \
  {                                                                               \
#family, {__VA_ARGS__ }, [](const In& p) { return family(p[0], p[1], p[2]); } \
  }

inline const std::vector<Known> kContinuous{
    TWO(Normal, 0.7, 1.9),
    TWO(Laplace, -0.4, 0.8),
    TWO(Cauchy, 0.2, 1.3),
    TWO(Gumbel, 0.5, 1.1),
    TWO(Logistic, -1.0, 0.6),
    THREE(StudentT, 3.7, 0.3, 1.4),
    TWO(VonMises, 0.4, 2.2),
    ONE(Exponential, 1.7),
    TWO(Gamma, 2.3, 0.7),
    TWO(Gamma, 0.4, 1.2),
    ONE(Chi2, 3.2),
    TWO(InverseGamma, 3.1, 1.8),
    ONE(HalfNormal, 1.6),
    ONE(HalfCauchy, 0.9),
    TWO(LogNormal, 0.3, 0.7),
    TWO(Weibull, 1.4, 1.8),
    TWO(Pareto, 1.2, 3.1),
    THREE(GeneralizedPareto, 0.4, 1.3, 0.2),
    THREE(GeneralizedPareto, 0.4, 1.3, -0.3),
    TWO(FisherSnedecor, 5.0, 7.0),
    TWO(Uniform, -1.5, 2.5),
    THREE(Triangular, -1.0, 3.0, 0.5),
    {"TruncatedNormal",
     {0.3, 1.2, -0.8, 2.1},
     [](const In& p) { return TruncatedNormal(p[0], p[1], p[2], p[3]); }},
    TWO(Beta, 2.4, 1.7),
    TWO(Beta, 0.6, 0.8),
    TWO(Kumaraswamy, 2.1, 3.3),
    ONE(ContinuousBernoulli, 0.3),
    ONE(ContinuousBernoulli, 0.501),
    TWO(RelaxedBernoulli, 0.7, 0.4),
    {"Mixture",
     {-1.0, 0.5, 2.0, 1.2},
     [](const In& p) {
       return MixtureSameFamily(Categorical(tensor<double>({0.3, 0.7})),
                                Normal(stack({p[0], p[2]}), stack({p[1], p[3]})));
     }},
    {"Transformed",
     {0.2, 0.9},
     [](const In& p) {
       return TransformedDistribution(Normal(p[0], p[1]),
                                      {AffineTransform(1.0, -0.5), SigmoidTransform()});
     }},
};
inline const std::vector<Known> kDiscrete{
    ONE(Bernoulli, 0.3),
    TWO(Binomial, 9, 0.35),
    TWO(Binomial, 400, 0.6),
    TWO(NegativeBinomial, 3.5, 0.4),
    ONE(Geometric, 0.3),
    ONE(Poisson, 4.2),
    ONE(Poisson, 55),
    TWO(Skellam, 4.0, 2.5),
    THREE(BetaBinomial, 12, 2.0, 3.0),
    {"Categorical", {0.2, 0.5, 0.3}, [](const In& p) { return Categorical(stack(p)); }},
};

inline In parameters_of(const Known& known) {
  In out;
  for (double p : known.parameters) out.push_back(f64(p));
  return out;
}
// Values that are not in a tail, as f64.
inline Tensor middle_of(const Distribution& d, int64_t count = 40) {
  if (d.name() == "MixtureSameFamily") return linspace(-3, 4, count, kF64);  // has no inverse
  const double n = static_cast<double>(count);
  return d.icdf(linspace(0.5 / n, 1 - 0.5 / n, count, kF64));
}

}  // namespace glia::distributions
