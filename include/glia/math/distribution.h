// Probability distributions with torch.distributions' names and arguments: what all of them have.
// They themselves are in the other headers of glia/math, and in math/distributions.h together.
//
//   const distributions::Normal prior(0, 1), q(mean, exp(log_std));
//   Tensor loss = -sum(likelihood(q.rsample())) + sum(kl_divergence(q, prior));
//
// Parameters are tensors or host numbers that broadcast to the batch shape; each element is a
// distribution of its own, over values of the event shape. All values are differentiable in the
// parameters unless it says otherwise. Host numbers out of range throw ValueError at once; those of
// tensors give NaN, or are looked for by validate(). Outside its support a density is 0.
// A component of its own: link glia::math.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "glia/ops.h"

namespace glia::distributions {

struct Law;  // private: src/math/distributions/law.h

// Which values have a density or probability, for transforms, checks and plots.
enum class Support {
  kReal,              // all numbers
  kPositive,          // above 0, or from 0 on
  kUnit,              // between 0 and 1
  kInterval,          // between two parameters, or above one
  kBoolean,           // 0 and 1
  kNaturals,          // 0, 1, 2, ... perhaps up to a parameter
  kIntegers,          // all whole numbers
  kSimplex,           // rows of sum 1
  kOneHot,            // rows with one 1
  kRealVector,        // rows of numbers
  kPositiveDefinite,  // matrices
  kCorrCholesky,      // lower triangular matrices with rows of length 1
};

// A handle on a distribution; copies share it. Where a family has no value by formula, the function
// throws Error naming both.
class Distribution {
 public:
  // "Normal".
  const std::string& name() const;
  const Shape& batch_shape() const;
  const Shape& event_shape() const;
  DType dtype() const;
  Support support() const;
  bool is_discrete() const;
  bool has_rsample() const;
  // Name and value of each, as they broadcast; one by its name throws Error if there is none.
  const std::vector<std::pair<std::string, Tensor>>& parameters() const;
  const Tensor& parameter(const std::string& name, Where where = Where::current()) const;
  // Computes the parameters, and throws ValueError naming the first one that is out of range.
  void validate(Where where = Where::current()) const;

  // Values of shape sample + batch + event. sample() cuts them from the parameters; rsample() has
  // their gradient by reparameterisation (Kingma & Welling 2014), implicit for what gamma variables
  // make (Figurnov et al. 2018). Throws Error if there is none, as of discrete ones.
  Tensor sample(const Shape& shape = {}, Where where = Where::current()) const;
  Tensor rsample(const Shape& shape = {}, Where where = Where::current()) const;

  // The logarithm of the density, or probability, at `value`, which broadcasts against batch +
  // event -> the shape of both without the event. Minus infinity outside the support.
  Tensor log_prob(const Operand& value) const;
  // The probability of at most `value`, and the smallest value of at least that probability. The
  // latter has no gradient where the distribution is discrete.
  Tensor cdf(const Operand& value) const;
  Tensor icdf(const Operand& probability) const;
  // -E log p in nats -> batch.
  Tensor entropy(Where where = Where::current()) const;
  // batch + event; NaN or infinite where there is none.
  Tensor mean(Where where = Where::current()) const;
  Tensor variance(Where where = Where::current()) const;
  Tensor stddev(Where where = Where::current()) const;
  // The value of the largest density.
  Tensor mode(Where where = Where::current()) const;

  // Private to the library: what it is a handle on.
  explicit Distribution(std::shared_ptr<const Law> law) : law_(std::move(law)) {}
  const Law& law() const { return *law_; }
  const std::shared_ptr<const Law>& shared_law() const { return law_; }

 private:
  std::shared_ptr<const Law> law_;
};

// The Kullback-Leibler divergence E_p log(p / q) in nats -> batch, by formula: for every pair that
// torch.distributions has one for, and some more. Infinite where p has values that q has not.
// Throws Error naming both where there is no formula.
Tensor kl_divergence(const Distribution& p, const Distribution& q, Where where = Where::current());
// Its estimate from `samples` values of p: the mean of log(p / q), differentiable where p has
// rsample().
Tensor kl_estimate(const Distribution& p, const Distribution& q, int64_t samples,
                   Where where = Where::current());

}  // namespace glia::distributions
