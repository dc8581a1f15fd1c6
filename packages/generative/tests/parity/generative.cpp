// Glia's side of generative.py: generative OUT.npz. It makes networks and inputs, and writes both
// with values and gradients: NAME/weights.KEY, NAME/in.KEY, NAME/out.KEY, NAME/grad.KEY, all f64.
#include <functional>
#include <iostream>

#include "glia/autodiff.h"
#include "glia/generative/dcgan.h"
#include "glia/generative/diffusion.h"
#include "glia/generative/flow.h"
#include "glia/generative/gan.h"
#include "glia/generative/metrics.h"
#include "glia/generative/unet.h"
#include "glia/generative/vae.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/random.h"

using namespace glia;
using namespace glia::generative;

namespace {

StateDict results;
void add(const std::string& name, const Tensor& x) { results.emplace_back(name, cast(x, kF64)); }
void add(const std::string& name, double x) { results.emplace_back(name, tensor(x)); }

// In PyTorch's layout: the gradient takes the weight's place for a moment.
void add_gradients(const std::string& name, const nn::Module& net, const Tensor& loss) {
  const ParameterList places = net.parameters();
  const std::vector<Tensor> g = gradients(loss, places);
  const StateDict weights = net.state_dict();
  std::vector<Tensor> before = places.tensors();
  eval(g);
  for (size_t i = 0; i < g.size(); ++i) places[i].set(g[i]);
  for (const auto& [key, value] : net.state_dict()) add(name + "/grad." + key, value);
  for (size_t i = 0; i < g.size(); ++i) places[i].set(before[i]);
}
void add_weights(const std::string& name, const nn::Module& net) {
  for (const auto& [key, value] : net.state_dict()) add(name + "/weights." + key, value);
}
void shake(nn::Module& net, double by) {
  net.to(kF64);
  for (const Variable& p : net.parameters()) p.set(p.tensor() + by * randn(p.shape(), kF64));
}
// What randn() will give next.
Tensor noise_of(const Shape& shape, uint64_t seed) {
  manual_seed(seed);
  Tensor noise = randn(shape, kF64);
  eval(noise);
  manual_seed(seed);
  return noise;
}

void vaes() {
  for (const bool gaussian : {false, true}) {
    for (const bool importance : {false, true}) {
      const std::string name = std::string("vae_") + (gaussian ? "gaussian" : "bernoulli") +
                               (importance ? "_iwae" : "_elbo");
      Vae net(dense_encoder({7}, {5}, 6), dense_decoder(3, {5}, {7}),
              {.latent = 3,
               .likelihood = gaussian ? Likelihood::kGaussian : Likelihood::kBernoulli,
               .beta = 1.7,
               .free_bits = 0.2,
               .samples = 4,
               .importance = importance});
      shake(net, 0.3);
      const Tensor x = rand({6, 7}, kF64);
      add_weights(name, net);
      add(name + "/in.x", x);
      add(name + "/in.noise", noise_of({4, 6, 3}, 11));
      const Vae::Loss l = net.loss(x);
      add(name + "/out.loss", l.loss);
      add(name + "/out.kl", l.kl);
      add_gradients(name, net, l.loss);
    }
  }
  VectorQuantizer q(5, 3);
  shake(q, 0.5);
  const Parameter x(randn({4, 2, 3}, kF64));
  add_weights("vq", q);
  add("vq/in.x", x);
  const auto r = q(x);
  const Tensor loss = r.loss + sum(square(r.out)) / 7;
  add("vq/out.loss", loss);
  add("vq/out.gradient", gradients(loss, {x})[0]);
  add_gradients("vq", q, loss);
}

void flows() {
  RealNvp flow(5, {.layers = 4, .hidden = {8, 8}});
  shake(flow, 0.3);
  const Tensor x = randn({6, 5}, kF64), density = flow.log_density(x);
  add_weights("flow", flow);
  add("flow/in.x", x);
  add("flow/out.density", density);
  add("flow/out.back", flow.inverse(x));
  add_gradients("flow", flow, sum(density));
}

void diffusions() {
  const Tensor x = uniform({3, 4, 4, 1}, -1, 1, kF64), noise = randn({3, 4, 4, 1}, kF64);
  const Tensor said = randn({3, 4, 4, 1}, kF64), t = tensor({0, 400, 999});
  add("diffusion/in.x", x);
  add("diffusion/in.noise", noise);
  add("diffusion/in.said", said);
  for (const BetaSchedule schedule : {BetaSchedule::kLinear, BetaSchedule::kCosine}) {
    for (const Prediction p : {Prediction::kEpsilon, Prediction::kSample, Prediction::kVelocity}) {
      const Diffusion d({.schedule = schedule, .prediction = p});
      const std::string name = std::string("diffusion/out.") +
                               (schedule == BetaSchedule::kLinear ? "linear" : "cosine") +
                               std::to_string(static_cast<int>(p));
      add(name + ".betas", from_vector(d.betas(), {1000}));
      add(name + ".noised", d.noised(x, noise, t));
      add(name + ".target", d.target(x, noise, t));
      for (const bool clip : {false, true}) {
        const std::string at = name + (clip ? ".clip" : ".free");
        add(at + ".ddpm", d.step(x, said, 400, 399, {.eta = 1, .clip = clip}, noise));
        add(at + ".ddim", d.step(x, said, 400, 350, {.eta = 0, .clip = clip}));
        add(at + ".half", d.step(x, said, 400, 350, {.eta = 0.5, .clip = clip}, noise));
        add(at + ".last", d.step(x, said, 20, -1, {.eta = 1, .clip = clip}, noise));
      }
    }
  }
  UNet net(
      {.channels = 2, .width = 8, .multipliers = {1, 2}, .heads = 2, .groups = 4, .classes = 3});
  shake(net, 0.1);
  const Tensor pictures = randn({3, 8, 8, 2}, kF64), labels = tensor({2, 0, 3});
  add_weights("unet", net);
  add("unet/in.x", pictures);
  add("unet/in.positions", take(net.positions, t));
  add("unet/in.labels", labels);
  const Tensor out = net(pictures, t, labels);
  add("unet/out.out", out);
  add_gradients("unet", net, sum(square(out)));
}

void adversarial() {
  const Tensor real = randn({8, 1}, kF64), fake = randn({8, 1}, kF64);
  add("losses/in.real", real);
  add("losses/in.fake", fake);
  for (int i = 0; i < 4; ++i) {
    add("losses/out.critic" + std::to_string(i), critic_loss(static_cast<GanLoss>(i), real, fake));
    add("losses/out.generator" + std::to_string(i), generator_loss(static_cast<GanLoss>(i), fake));
  }
  DcganOptions o{.size = 8, .channels = 2, .width = 4};
  nn::Sequential generator = dcgan_generator(6, o);
  shake(generator, 0.2);
  const Tensor z = randn({5, 6}, kF64), made = generator(z);
  add_weights("generator", generator);
  add("generator/in.x", z);
  add("generator/out.out", made);
  add_gradients("generator", generator, sum(square(made)));
  o.norm = DcganNorm::kNone;
  nn::Sequential critic = dcgan_critic(1, o);
  shake(critic, 0.2);
  const Tensor x = randn({5, 8, 8, 2}, kF64), y = stop_gradient(made);
  add_weights("critic", critic);
  add("critic/in.x", x);
  add("critic/in.fake", y);
  manual_seed(13);
  // The part of the way that the penalty draws is in f32.
  add("critic/in.part", rand({5, 1, 1, 1}));
  manual_seed(13);
  const auto says = [&](const Tensor& at) { return critic(at); };
  const Tensor loss = critic_loss(GanLoss::kWasserstein, critic(x), critic(y)) +
                      10 * gradient_penalty(says, x, y) + 0.5 * r1_penalty(says, x);
  add("critic/out.loss", loss);
  add_gradients("critic", critic, loss);
}

void distances() {
  const Tensor a = randn({300, 6}, kF64);
  const Tensor b = matmul(randn({250, 6}, kF64), eye(6, kF64) + 0.3 * randn({6, 6}, kF64)) + 0.2;
  add("metrics/in.real", a);
  add("metrics/in.fake", b);
  add("metrics/out.fid", frechet_distance(a, b));
  // All of the smaller set, and as many of the larger.
  add("metrics/out.kid",
      kernel_distance(slice(a, 0, {0, 250}), b, {.subsets = 1, .subset_size = 250}).mean);
  const PrecisionRecall p = precision_recall(a, b, 3);
  add("metrics/out.near", tensor({p.precision, p.recall, p.density, p.coverage}));
  add("metrics/out.parzen", parzen_log_density(a, b, 0.6));
}

}  // namespace

int main(int, char** argv) try {
  manual_seed(5);
  vaes();
  flows();
  diffusions();
  adversarial();
  distances();
  io::write_npz(argv[1], results);
} catch (const std::exception& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
