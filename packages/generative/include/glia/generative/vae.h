// Variational autoencoders (Kingma & Welling 2014, Rezende et al. 2014). What is made large is
//
//   ELBO = E_q(z|x)[log p(x|z)] - KL(q(z|x) || p(z)) <= log p(x):
//
// the decoder p(x|z) shall explain x, and the encoder q(z|x) stay near to the prior p(z) = N(0, 1).
// The loss is its negative, in nats for each example.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "glia/nn/module.h"
#include "glia/nn/sequential.h"

namespace glia::generative {

enum class Likelihood {
  kBernoulli,  // of values in [0, 1], by logits
  kGaussian,   // of any numbers, by means and one variance for all
};

struct VaeOptions {
  int64_t latent = 50;  // numbers of z
  Likelihood likelihood = Likelihood::kBernoulli;
  std::optional<double> variance = {};  // of a Gaussian; unset: it is learnt (Rybkin et al. 2021)
  double beta = 1;                      // how much the divergence counts (Higgins et al. 2017)
  // Nats that each number of z may diverge for free, in the mean over a batch (Kingma et al. 2016).
  double free_bits = 0;
  int64_t samples = 1;  // of z for each example
  // The bound of so many importance samples instead of the ELBO (Burda et al. 2016, IWAE): beta and
  // free_bits do not count.
  bool importance = false;
};

// log(1/K sum_k w_k), of logarithms of weights (K, ...) -> (...): with w = p(x, z) / q(z|x) a lower
// bound of log p(x) that rises with K.
Tensor importance_bound(const Tensor& log_weights, Where where = Where::current());

class Vae : public nn::Module {
 public:
  // The encoder (N, ...) -> (N, 2 latent) gives means and logarithms of variances, the decoder (N,
  // latent) -> (N, ...) logits or means. Throws ValueError for options out of range.
  Vae(nn::Sequential encoder, nn::Sequential decoder, const VaeOptions& options = {});

  struct Posterior {
    Tensor mean, log_var;  // (N, latent)
  };
  Posterior encode(const Tensor& x, Where where = Where::current()) const;
  // z (..., latent) -> logits or means (..., of an example).
  Tensor decode(const Tensor& z, Where where = Where::current()) const;
  // What the decoder expects: probabilities or means.
  Tensor expected(const Tensor& decoded) const;
  // log p(x|z) of examples (N, ...) by what was decoded (..., N, ...) -> (..., N).
  Tensor log_likelihood(const Tensor& x, const Tensor& decoded) const;

  struct Loss {
    Tensor loss;                // what is made small
    Tensor log_likelihood, kl;  // means over examples of E_q[log p(x|z)] and of the divergence
  };
  Loss loss(const Tensor& x) const;
  // log p(x, z) - log q(z|x) for so many z of each example, drawn from q: (samples, N).
  Tensor log_weights(const Tensor& x, int64_t samples) const;
  // An estimate of log p(x) of each example by so many importance samples, without gradients: f64
  // (N). At most `at_once` z are decoded together.
  Tensor log_marginal(const Tensor& x, int64_t samples, int64_t at_once = 4096) const;
  // What the decoder expects of z drawn from the prior, without gradients: (n, ...).
  Tensor sample(int64_t n) const;

  VaeOptions options;
  nn::Sequential encoder, decoder;
  Parameter log_var;  // () of a Gaussian with a learnt variance, else undefined
  GLIA_FIELDS(encoder, decoder, log_var)

 private:
  Tensor log_variance() const;
  struct Drawn {
    Tensor log_likelihood;  // log p(x|z): (samples, N)
    Tensor log_ratio;       // log p(z) - log q(z|x)
  };
  Drawn drawn(const Tensor& x, const Posterior& q, int64_t samples) const;
};

// Fully connected networks with tanh between, as Burda et al. have them: examples of any shape ->
// (N, outputs), and (N, latent) -> examples. Without hidden layers both are one matrix each.
nn::Sequential dense_encoder(const Shape& example, const std::vector<int64_t>& hidden,
                             int64_t outputs);
nn::Sequential dense_decoder(int64_t latent, const std::vector<int64_t>& hidden,
                             const Shape& example);

// ---- Codes from a table -------------------------------------------------------------------------

struct VectorQuantizerOptions {
  double commitment = 0.25;  // how much it counts that the encoder stays near its code
  // Of a running mean of what is near to each code, which the code then is (the paper's appendix);
  // 0: codes are trained by the loss.
  double decay = 0;
  double eps = 1e-5;  // added to counts of the running mean
};
// The nearest of `count` vectors (van den Oord et al. 2017, VQ-VAE).
struct VectorQuantizer : nn::Module {
  VectorQuantizer(int64_t count, int64_t features, const VectorQuantizerOptions& options = {});
  struct Result {
    Tensor out;      // as x: codes, whose gradient goes straight to x
    Tensor indices;  // (...) i64
    Tensor loss;     // |code - sg(x)|^2 + commitment |x - sg(code)|^2, means over elements
  };
  // x (..., features). In training mode a running mean moves.
  Result operator()(const Tensor& x, Where where = Where::current()) const;
  // Codes of indices (...): (..., features).
  Tensor codes(const Tensor& indices) const;

  VectorQuantizerOptions options;
  Parameter weight;     // (count, features); frozen if codes are running means
  Buffer counts, sums;  // of running means: (count), (count, features), or undefined
  GLIA_FIELDS(weight, counts, sums)
};
// exp of the entropy of how often each code is used: how many are, if all alike.
Tensor code_perplexity(const Tensor& indices, int64_t count);

}  // namespace glia::generative
