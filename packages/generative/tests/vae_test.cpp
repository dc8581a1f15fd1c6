// Bounds beside what is known exactly: a linear model, two codes; and sequences.
#include "glia/generative/vae.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/generative/dcgan.h"
#include "glia/generative/sequence_vae.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "glia/ops/loss.h"
#include "glia/optim.h"
#include "glia/random.h"

namespace glia::generative {
namespace {

TEST(ImportanceBound, IsTheLogarithmOfTheMean) {
  const Tensor w = tensor({{1.0, -3.0}, {2.0, 0.5}, {-700.0, 1.0}});
  const std::vector<double> bound = importance_bound(w).to_vector<double>();
  EXPECT_NEAR(bound[0], std::log((std::exp(1) + std::exp(2)) / 3), 1e-12);
  EXPECT_NEAR(bound[1], std::log((std::exp(-3) + std::exp(0.5) + std::exp(1)) / 3), 1e-12);
  EXPECT_THROW(importance_bound(tensor(1.0)), ShapeError);
}

// Probabilistic principal components (Tipping & Bishop 1999): x = W z + noise, whose best W and
// variance are known, and with them the posterior and log p(x).
struct Components {
  Tensor x, mean, w, posterior_w;
  std::vector<double> posterior_log_var;
  double variance = 0, log_density = 0;  // mean over x
};
Components components(int64_t latent) {
  manual_seed(4);
  const int64_t n = 400, d = 6;
  const Tensor x =
      matmul(randn({n, 3}, kF64), 1.5 * randn({3, d}, kF64)) + 0.4 * randn({n, d}, kF64);
  Components c{.x = x, .mean = mean(x, {0})};
  const Tensor apart = x - c.mean, covariance = matmul(transpose(apart), apart) / double(n);
  const auto [values, vectors] = linalg::eigh(covariance);
  const std::vector<double> e = values.to_vector<double>();  // rising
  for (int64_t i = 0; i < d - latent; ++i) c.variance += e[i] / double(d - latent);
  const Tensor kept = slice(vectors, 1, {d - latent, d}), l = slice(values, 0, {d - latent, d});
  c.w = kept * sqrt(l - c.variance);
  // q = N(M^-1 W^T (x - m), s^2 M^-1), M = W^T W + s^2 = diag(l).
  c.posterior_w = transpose(c.w) / unsqueeze(l, 1);
  for (const double v : l.to_vector<double>())
    c.posterior_log_var.push_back(std::log(c.variance / v));
  const Tensor model = matmul(c.w, transpose(c.w)) + c.variance * eye(d, kF64);
  c.log_density =
      -0.5 * (double(d) * std::log(2 * std::numbers::pi) + linalg::logdet(model).item() +
              trace(linalg::solve(model, covariance)).item());
  return c;
}

Vae linear(int64_t latent, const std::optional<double>& variance = {}) {
  return Vae(dense_encoder({6}, {}, 2 * latent), dense_decoder(latent, {}, {6}),
             {.latent = latent, .likelihood = Likelihood::kGaussian, .variance = variance});
}

TEST(Vae, LinearOneReachesTheOptimumOfPrincipalComponents) {
  const int64_t k = 2;
  const Components c = components(k);
  // At the optimum the posterior is exact: every weight is p(x), whatever is drawn.
  Vae at = linear(k);
  at.to(kF64);
  const Tensor zeros_k = zeros({k, 6}, kF64);
  at.load_state_dict({{"encoder.1.weight", concat({c.posterior_w, zeros_k})},
                      {"encoder.1.bias", concat({-matmul(c.posterior_w, c.mean),
                                                 from_vector(c.posterior_log_var, {k})})},
                      {"decoder.0.weight", c.w},
                      {"decoder.0.bias", c.mean},
                      {"log_var", tensor(std::log(c.variance))}});
  const Tensor weights = at.log_weights(c.x, 3);
  EXPECT_LT(max(abs(index(weights, {0}) - index(weights, {2}))).item(), 1e-9);
  EXPECT_NEAR(mean(weights).item(), c.log_density, 1e-9);
  EXPECT_NEAR(mean(at.log_marginal(c.x, 5, 7)).item(), c.log_density, 1e-9);
  // And training comes there from anywhere.
  manual_seed(2);
  Vae net = linear(k);
  net.to(kF64);
  optim::Adam optimizer(net.parameters(), {.lr = 0.03});
  optimizer.set_schedule(optim::cosine(0.03, 1500));
  for (int i = 0; i < 1500; ++i) optimizer.step([&] { return net.loss(c.x).loss; });
  double bound = 0;
  for (int i = 0; i < 50; ++i) bound -= net.loss(c.x).loss.item() / 50;
  EXPECT_LT(bound, c.log_density + 0.02);
  EXPECT_GT(bound, c.log_density - 0.02);
  EXPECT_NEAR(std::exp(net.log_var.tensor().item()), c.variance, 0.02 * c.variance);
}

TEST(Vae, BoundsLieInTheirOrder) {
  manual_seed(1);
  Vae net(dense_encoder({2, 2, 1}, {8}, 4), dense_decoder(2, {8}, {2, 2, 1}), {.latent = 2});
  for (const Variable& p : net.decoder.parameters()) p.set(3 * p.tensor());
  const Tensor x = cast(bernoulli({40, 2, 2, 1}, 0.5), kF32);
  // log p(x) by a grid over the plane of z.
  const Tensor line = linspace(-6, 6, 241);
  const Tensor z = reshape(stack(std::vector<Tensor>{expand(unsqueeze(line, 1), {241, 241}),
                                                     expand(unsqueeze(line, 0), {241, 241})},
                                 2),
                           {-1, 2});
  const Tensor prior = -0.5 * sum(square(z), {1}) - std::log(2 * std::numbers::pi);
  const Tensor likelihood =
      net.log_likelihood(x, net.decode(expand(unsqueeze(z, 1), {z.size(0), 40, 2})));
  const double exact =
      mean(logsumexp(likelihood + unsqueeze(prior, 1), {0})).item() + 2 * std::log(12.0 / 240);
  double elbo = 0, ten = 0;
  for (int i = 0; i < 20; ++i) {
    elbo -= net.loss(x).loss.item() / 20;
    ten += mean(importance_bound(net.log_weights(x, 10))).item() / 20;
  }
  EXPECT_LT(elbo, ten);
  EXPECT_LT(ten, exact + 0.01);
  EXPECT_NEAR(mean(net.log_marginal(x, 5000)).item(), exact, 0.02);
  // The signs: it pays to explain x and to stay at the prior.
  const Vae::Loss l = net.loss(x);
  EXPECT_LT(l.log_likelihood.item(), 0);
  EXPECT_GT(l.kl.item(), 0);
  EXPECT_NEAR(l.loss.item(), -l.log_likelihood.item() + l.kl.item(), 1e-4);
}

TEST(Vae, OptionsCount) {
  manual_seed(1);
  const Tensor x = rand({6, 3});
  const auto loss = [&](const VaeOptions& o) {
    manual_seed(3);
    Vae net(dense_encoder({3}, {}, 4), dense_decoder(2, {}, {3}), o);
    manual_seed(5);
    return net.loss(x);
  };
  const auto one = loss({.latent = 2}), four = loss({.latent = 2, .beta = 4});
  EXPECT_NEAR(four.loss.item() - one.loss.item(), 3 * one.kl.item(), 1e-5);
  const auto free_one = loss({.latent = 2, .free_bits = 10});
  EXPECT_NEAR(free_one.loss.item(), -one.log_likelihood.item() + 20, 1e-4);
  // One importance sample is the bound with the divergence estimated, too.
  const auto iwae = loss({.latent = 2, .samples = 50, .importance = true});
  EXPECT_LT(iwae.loss.item(), one.loss.item() + 0.5);
  // A fixed variance; and pictures by convolutions.
  Vae conv(dcgan_critic(8, {.size = 8, .width = 4}),
           dcgan_generator(4, {.size = 8, .width = 4, .tanh = false}),
           {.latent = 4, .likelihood = Likelihood::kGaussian, .variance = 0.1, .samples = 3});
  EXPECT_TRUE(std::isfinite(conv.loss(rand({2, 8, 8, 1})).loss.item()));
  EXPECT_EQ(conv.sample(5).shape(), (Shape{5, 8, 8, 1}));
  EXPECT_EQ(conv.log_marginal(rand({0, 8, 8, 1}), 3).shape(), (Shape{0}));
  const auto wrong = [](const VaeOptions& o) { return Vae(nn::Sequential(), nn::Sequential(), o); };
  EXPECT_THROW(wrong({.latent = 0}), ValueError);
  EXPECT_THROW(wrong({.beta = -1}), ValueError);
  EXPECT_THROW(wrong({.variance = 0.0}), ValueError);
  EXPECT_THROW(wrong({.samples = 0}), ValueError);
  EXPECT_THROW(Vae(dense_encoder({3}, {}, 5), dense_decoder(2, {}, {3}), {.latent = 2}).loss(x),
               ShapeError);
  EXPECT_THROW(conv.decode(zeros({3, 5})), ShapeError);
  EXPECT_THROW(conv.log_marginal(x, 0), ValueError);
}

TEST(VectorQuantizer, TakesTheNearestAndPassesTheGradient) {
  VectorQuantizer q(2, 2);
  q.weight = tensor({{0.f, 0.f}, {1.f, 1.f}});
  Parameter x(tensor({{0.2f, 0.1f}, {0.9f, 1.2f}}));
  const auto r = q(x);
  EXPECT_EQ(r.indices.to_vector<int64_t>(), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(r.out.to_vector<float>(), q.weight.tensor().to_vector<float>());
  EXPECT_NEAR(r.loss.item(), 1.25 * (0.04 + 0.01 + 0.01 + 0.04) / 4, 1e-6);
  for (const float g : gradients(sum(r.out), {x})[0].to_vector<float>()) EXPECT_EQ(g, 1);
  // The commitment alone moves x, the rest the codes.
  EXPECT_NEAR(gradients(r.loss, {x})[0].to_vector<float>()[0], 0.25 * 2 * 0.2 / 4, 1e-6);
  EXPECT_NEAR(gradients(q(x).loss, {q.weight})[0].to_vector<float>()[0], -2 * 0.2 / 4, 1e-6);
  EXPECT_NEAR(code_perplexity(tensor({0, 1, 1, 0}), 8).item(), 2, 1e-4);
  EXPECT_THROW(q(zeros({3, 3})), ShapeError);
  EXPECT_THROW(VectorQuantizer(0, 2), ValueError);

  // Running means come to where the vectors lie.
  manual_seed(1);
  VectorQuantizer mean_codes(2, 1, {.decay = 0.8});
  EXPECT_TRUE(mean_codes.parameters().empty());
  for (int i = 0; i < 60; ++i) eval(mean_codes(reshape(tensor({-3.f, -5.f, 7.f}), {3, 1})).out);
  std::vector<float> codes = mean_codes.weight.tensor().to_vector<float>();
  std::sort(codes.begin(), codes.end());
  EXPECT_NEAR(codes[0], -4, 0.2);
  EXPECT_NEAR(codes[1], 7, 0.2);
  mean_codes.eval();
  const std::vector<float> before = mean_codes.weight.tensor().to_vector<float>();
  eval(mean_codes(ones({4, 1})).out);
  EXPECT_EQ(mean_codes.weight.tensor().to_vector<float>(), before);
}

// ---- Sequences ----------------------------------------------------------------------------------

TEST(SentenceVae, LearnsSentencesAndIgnoresWhatIsBehindThem) {
  manual_seed(1);
  SentenceVae net({.vocabulary = 10, .embedding = 8, .hidden = 16, .latent = 4, .word_dropout = 0});
  const Tensor words = tensor({{4, 5, 6}, {7, 8, 0}}), lengths = tensor({3, 2});
  // What stands behind the end is not seen.
  const auto at = [&](const Tensor& w) {
    manual_seed(7);
    return net.loss(w, lengths).loss.item();
  };
  EXPECT_EQ(at(words), at(tensor({{4, 5, 6}, {7, 8, 9}})));
  EXPECT_NE(at(words), at(tensor({{4, 5, 6}, {7, 9, 0}})));
  EXPECT_EQ(net.decode(zeros({2, 4}), words).shape(), (Shape{2, 4, 10}));
  // A weight of the divergence that rises later is what makes z count.
  optim::Adam optimizer(net.parameters(), {.lr = 0.02});
  for (int i = 0; i < 150; ++i)
    optimizer.step([&] { return net.loss(words, lengths, 0.2 * kl_weight(i, 50, 150)).loss; });
  const SequenceLoss after = net.loss(words, lengths);
  EXPECT_LT(after.reconstruction.item(), 0.5);
  EXPECT_GT(after.kl.item(), 0.3);
  net.eval();
  const auto said = net.write(net.encode(words, lengths).mean, 6);
  EXPECT_EQ(said[0], (std::vector<int64_t>{4, 5, 6}));
  EXPECT_EQ(said[1], (std::vector<int64_t>{7, 8}));
  for (const auto& sentence : net.write(randn({20, 4}), 6, true))
    for (const int64_t word : sentence) EXPECT_GE(word, 4);
  EXPECT_GT(mean(net.log_marginal(words, lengths, 50)).item(), -after.loss.item() - 0.5);
  EXPECT_THROW(net.encode(words, tensor({3})), ShapeError);
  EXPECT_THROW(SentenceVae({.vocabulary = 4}), ValueError);
  EXPECT_EQ(kl_weight(0, 10, 20), 0);
  EXPECT_EQ(kl_weight(15, 10, 20), 0.5);
  EXPECT_EQ(kl_weight(30, 10, 20), 1);
  EXPECT_EQ(kl_weight(5, 5, 5), 1);
}

// Circles of one radius, from any place on.
Tensor circles(int64_t n, int64_t length) {
  const Tensor phase = unsqueeze(uniform({n}, 0, 2 * std::numbers::pi), 1);
  const Tensor angle = phase + 0.5 * cast(arange(length), kF32);
  return stack(std::vector<Tensor>{cos(angle), sin(angle)}, 2);
}

TEST(CurveVae, DrawsCurvesAgain) {
  manual_seed(2);
  CurveVae net({.hidden = 24, .latent = 3});
  optim::Adam optimizer(net.parameters(), {.lr = 0.01});
  for (int i = 0; i < 300; ++i)
    optimizer.step([&] { return net.loss(circles(32, 8), kl_weight(i, 0, 200)).loss; });
  const Tensor x = circles(64, 8), made = net.decode(net.encode(x).mean, 8);
  EXPECT_LT(mean(square(made - x)).item(), 0.1);  // their variance is 0.5
  EXPECT_GT(net.loss(x).kl.item(), 1);
}

TEST(Vrnn, GoesOnWithWhatBegan) {
  manual_seed(3);
  Vrnn net({.hidden = 24, .latent = 3});
  optim::Adam optimizer(net.parameters(), {.lr = 0.01});
  for (int i = 0; i < 200; ++i)
    optimizer.step([&] { return net.loss(circles(32, 8), kl_weight(i, 0, 100)).loss; });
  const Tensor x = circles(64, 8);
  const double bound = -net.loss(x).loss.item();
  EXPECT_GT(bound, 8) << "nats for 16 numbers, where N(0, 0.5) has -17.1";
  EXPECT_GT(mean(net.log_marginal(x, 20)).item(), bound);
  const Tensor on = net.sample(64, 8, slice(x, 1, {0, 4}));
  EXPECT_EQ(slice(on, 1, {0, 4}).to_vector<float>(), slice(x, 1, {0, 4}).to_vector<float>());
  EXPECT_LT(mean(square(index(on, {Slice{}, 4}) - index(x, {Slice{}, 4}))).item(), 0.2);
  EXPECT_EQ(net.sample(3, 5).shape(), (Shape{3, 5, 2}));
  EXPECT_THROW(net.sample(3, 5, zeros({2, 2, 2})), ShapeError);
  EXPECT_THROW(net.loss(zeros({3, 5, 3})), ShapeError);
}

}  // namespace
}  // namespace glia::generative
