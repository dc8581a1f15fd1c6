// Distributions of whole numbers and of categories. Whole numbers are floats of the parameters'
// dtype, categories i64. `probs` are probabilities, which from_logits() takes as logits: log(p / (1
// - p)) of one, and of several any numbers whose softmax they are.
#pragma once

#include "glia/math/distribution.h"

namespace glia::distributions {

// ---- Whole numbers ----------------------------------------------------------------------------

// 1 with probability probs, else 0.
class Bernoulli : public Distribution {
 public:
  explicit Bernoulli(const Operand& probs);
  static Bernoulli from_logits(const Operand& logits);
  static Bernoulli fit(const Tensor& x, Where where = Where::current());

 private:
  explicit Bernoulli(std::shared_ptr<const Law> law) : Distribution(std::move(law)) {}
};
// How many of total_count are 1. The entropy is a sum over all counts.
class Binomial : public Distribution {
 public:
  Binomial(const Operand& total_count, const Operand& probs);
  static Binomial from_logits(const Operand& total_count, const Operand& logits);

 private:
  explicit Binomial(std::shared_ptr<const Law> law) : Distribution(std::move(law)) {}
};
// How many 1s come before total_count 0s, which need not be whole.
class NegativeBinomial : public Distribution {
 public:
  NegativeBinomial(const Operand& total_count, const Operand& probs);
  static NegativeBinomial from_logits(const Operand& total_count, const Operand& logits);
  static NegativeBinomial fit(const Tensor& x, Where where = Where::current());

 private:
  explicit NegativeBinomial(std::shared_ptr<const Law> law) : Distribution(std::move(law)) {}
};
// How many 0s come before the first 1.
class Geometric : public Distribution {
 public:
  explicit Geometric(const Operand& probs);
  static Geometric from_logits(const Operand& logits);
  static Geometric fit(const Tensor& x, Where where = Where::current());

 private:
  explicit Geometric(std::shared_ptr<const Law> law) : Distribution(std::move(law)) {}
};
// rate^x e^-rate / x!.
class Poisson : public Distribution {
 public:
  explicit Poisson(const Operand& rate);
  static Poisson fit(const Tensor& x, Where where = Where::current());
};
// The difference of two Poisson numbers (Skellam 1946). Its cdf() has no gradient.
class Skellam : public Distribution {
 public:
  Skellam(const Operand& rate1, const Operand& rate2);
};
// A Binomial whose probability is a Beta(concentration1, concentration0).
class BetaBinomial : public Distribution {
 public:
  BetaBinomial(const Operand& total_count, const Operand& concentration1,
               const Operand& concentration0);
};

// ---- Categories -------------------------------------------------------------------------------
// probs (..., K): not below 0, divided by their sum.

// The index of one of K; mean and variance are NaN.
class Categorical : public Distribution {
 public:
  explicit Categorical(const Tensor& probs, Where where = Where::current());
  static Categorical from_logits(const Tensor& logits, Where where = Where::current());
  // Of indices, as many categories as `count`.
  static Categorical fit(const Tensor& x, int64_t count, Where where = Where::current());

 private:
  explicit Categorical(std::shared_ptr<const Law> law) : Distribution(std::move(law)) {}
};
// The same as rows with one 1: event (K).
class OneHotCategorical : public Distribution {
 public:
  explicit OneHotCategorical(const Tensor& probs, Where where = Where::current());
  static OneHotCategorical from_logits(const Tensor& logits, Where where = Where::current());

 private:
  explicit OneHotCategorical(std::shared_ptr<const Law> law) : Distribution(std::move(law)) {}
};
// Its rsample() has the gradient of the probabilities (Bengio et al. 2013).
class OneHotCategoricalStraightThrough : public Distribution {
 public:
  explicit OneHotCategoricalStraightThrough(const Tensor& probs, Where where = Where::current());
  static OneHotCategoricalStraightThrough from_logits(const Tensor& logits,
                                                      Where where = Where::current());

 private:
  explicit OneHotCategoricalStraightThrough(std::shared_ptr<const Law> law)
      : Distribution(std::move(law)) {}
};
// softmax((logits + Gumbel numbers) / temperature), rows of sum 1 (Maddison et al. 2017; Jang et
// al. 2017). No value is 0.
class RelaxedOneHotCategorical : public Distribution {
 public:
  RelaxedOneHotCategorical(const Operand& temperature, const Tensor& probs,
                           Where where = Where::current());
  static RelaxedOneHotCategorical from_logits(const Operand& temperature, const Tensor& logits,
                                              Where where = Where::current());

 private:
  explicit RelaxedOneHotCategorical(std::shared_ptr<const Law> law)
      : Distribution(std::move(law)) {}
};
// How often each of K comes in total_count draws: event (K).
class Multinomial : public Distribution {
 public:
  Multinomial(int64_t total_count, const Tensor& probs, Where where = Where::current());
  static Multinomial from_logits(int64_t total_count, const Tensor& logits,
                                 Where where = Where::current());

 private:
  explicit Multinomial(std::shared_ptr<const Law> law) : Distribution(std::move(law)) {}
};

}  // namespace glia::distributions
