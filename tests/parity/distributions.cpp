// Glia's side of the comparison of distributions with SciPy and PyTorch.
//   distributions IN OUT
// reads "FAMILY CASE.p0", ".p1", ... (parameters), ".x" (values) and ".q" (probabilities), and
// writes ".log_prob", ".cdf", ".icdf", ".entropy", ... as far as the family has them, with ".gx",
// ".g0", ... of the sum of log_prob and ".h0", ... of the sum of cdf. Of "P~Q CASE" it writes ".kl"
// and its gradients; the parameters of Q follow those of P.
#include <cstdio>
#include <functional>
#include <map>
#include <string>

#include "glia/autodiff.h"
#include "glia/glia.h"
#include "glia/io.h"
#include "glia/math/distributions.h"

using namespace glia;
using namespace glia::distributions;

namespace {

using In = std::vector<Tensor>;

struct Family {
  int parameters;
  std::function<Distribution(const In&)> make;
};

const std::map<std::string, Family>& families() {
#define ONE(name)                               \
  {                                             \
#name, {                                    \
      1, [](const In& p) { return name(p[0]); } \
    }                                           \
  }
#define TWO(name)                                     \
  {                                                   \
#name, {                                          \
      2, [](const In& p) { return name(p[0], p[1]); } \
    }                                                 \
  }
#define THREE(name)                                         \
  {                                                         \
#name, {                                                \
      3, [](const In& p) { return name(p[0], p[1], p[2]); } \
    }                                                       \
  }
#define FOUR(name)                                                \
  {                                                               \
#name, {                                                      \
      4, [](const In& p) { return name(p[0], p[1], p[2], p[3]); } \
    }                                                             \
  }
  static const std::map<std::string, Family> all{
      TWO(Normal),
      TWO(Laplace),
      TWO(Cauchy),
      TWO(Gumbel),
      TWO(Logistic),
      THREE(StudentT),
      TWO(VonMises),
      ONE(Exponential),
      TWO(Gamma),
      ONE(Chi2),
      TWO(InverseGamma),
      ONE(HalfNormal),
      ONE(HalfCauchy),
      TWO(LogNormal),
      TWO(Weibull),
      TWO(Pareto),
      THREE(GeneralizedPareto),
      TWO(FisherSnedecor),
      TWO(Uniform),
      THREE(Triangular),
      FOUR(TruncatedNormal),
      TWO(Beta),
      TWO(Kumaraswamy),
      ONE(ContinuousBernoulli),
      TWO(RelaxedBernoulli),
      ONE(Bernoulli),
      TWO(Binomial),
      TWO(NegativeBinomial),
      ONE(Geometric),
      ONE(Poisson),
      TWO(Skellam),
      THREE(BetaBinomial),
      ONE(Categorical),
      ONE(OneHotCategorical),
      TWO(RelaxedOneHotCategorical),
      ONE(Dirichlet),
      TWO(MultivariateNormal),
      THREE(LowRankMultivariateNormal),
      TWO(Wishart),
      TWO(LogisticNormal),
      {"Multinomial", {1, [](const In& p) { return Multinomial(7, p[0]); }}},
      {"LKJCholesky", {1, [](const In& p) { return LKJCholesky(4, p[0]); }}},
      {"ByPrecision",
       {2, [](const In& p) { return MultivariateNormal::from_precision(p[0], p[1]); }}},
      {"ByScale", {2, [](const In& p) { return MultivariateNormal::from_scale_tril(p[0], p[1]); }}},
      {"LogitBernoulli", {1, [](const In& p) { return Bernoulli::from_logits(p[0]); }}},
      {"LogitCategorical", {1, [](const In& p) { return Categorical::from_logits(p[0]); }}},
      {"IndependentNormal", {2, [](const In& p) { return Independent(Normal(p[0], p[1]), 1); }}},
      {"MixtureNormal",
       {3, [](const In& p) { return MixtureSameFamily(Categorical(p[0]), Normal(p[1], p[2])); }}},
      {"MixtureVectors",
       {3,
        [](const In& p) {
          return MixtureSameFamily(Categorical(p[0]), Independent(Normal(p[1], p[2]), 1));
        }}},
      {"TanhNormal",
       {2,
        [](const In& p) {
          return TransformedDistribution(Normal(p[0], p[1]), {TanhTransform()});
        }}},
      {"AffineExp", {2, [](const In& p) {
                       return TransformedDistribution(
                           Exponential(p[0]), {AffineTransform(p[1], -2.0), SigmoidTransform()});
                     }}}};
  return all;
}

void add_gradients(io::NamedTensors* out, const std::string& name, const char* prefix,
                   const Tensor& y, const In& in) {
  if (!y.requires_grad()) return;
  const Tensor finite = where(isfinite(y), y, 0);
  try {
    const In g = gradients(sum(finite), in);
    for (size_t i = 0; i < g.size(); ++i)
      out->emplace_back(name + "." + prefix + std::to_string(i), g[i]);
    eval(g);
  } catch (const Error& e) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), e.what());
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  std::map<std::string, std::map<std::string, Tensor>> cases;
  for (auto& [name, value] : io::read_safetensors(arguments[1])) {
    const size_t dot = name.rfind('.');
    cases[name.substr(0, dot)][name.substr(dot + 1)] = value;
  }
  io::NamedTensors out;
  for (auto& [name, given] : cases) {
    In in;
    for (int i = 0; given.contains("p" + std::to_string(i)); ++i)
      in.push_back(trainable(given.at("p" + std::to_string(i))));
    const std::string family = name.substr(0, name.find(' '));
    if (const size_t tilde = family.find('~'); tilde != std::string::npos) {
      const Family &p = families().at(family.substr(0, tilde)),
                   &q = families().at(family.substr(tilde + 1));
      try {
        const Tensor kl = kl_divergence(p.make(In(in.begin(), in.begin() + p.parameters)),
                                        q.make(In(in.begin() + p.parameters, in.end())));
        out.emplace_back(name + ".kl", kl);
        add_gradients(&out, name, "g", kl, in);
      } catch (const Error& e) {
        std::fprintf(stderr, "%s: %s\n", name.c_str(), e.what());
      }
      continue;
    }
    const Distribution d = families().at(family).make(in);
    const auto put = [&](const char* what, const std::function<Tensor()>& f) {
      try {
        Tensor y = f();
        eval(y);
        out.emplace_back(name + "." + what, cast(y, kF64));
      } catch (const Error& e) {
        if (std::string(e.what()).find(": has no ") == std::string::npos)
          std::fprintf(stderr, "%s %s: %s\n", name.c_str(), what, e.what());
      }
    };
    if (given.contains("x")) {
      const Tensor x = given.at("x");
      put("log_prob", [&] { return d.log_prob(x); });
      put("cdf", [&] { return d.cdf(x); });
      In all = in;
      if (is_float(x.dtype()) && !d.is_discrete()) all.push_back(trainable(x));
      add_gradients(&out, name, "g", d.log_prob(all.size() > in.size() ? all.back() : x), all);
      try {
        add_gradients(&out, name, "h", d.cdf(x), in);
      } catch (const Error&) {
      }
    }
    if (given.contains("q")) put("icdf", [&] { return d.icdf(given.at("q")); });
    put("entropy", [&] { return d.entropy(); });
    put("mean", [&] { return d.mean(); });
    put("variance", [&] { return d.variance(); });
    put("mode", [&] { return d.mode(); });
    try {
      add_gradients(&out, name, "e", d.entropy(), in);
    } catch (const Error&) {
    }
  }
  io::write_safetensors(arguments[2], out);
  return 0;
}
