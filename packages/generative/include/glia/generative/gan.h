// Generative adversarial networks: what a critic and a generator are trained by. A critic gives a
// number for each sample, the higher the likelier that it is real.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "glia/nn/module.h"
#include "glia/nn/sequential.h"
#include "glia/optim.h"
#include "glia/train.h"

namespace glia::generative {

enum class GanLoss {
  kNonSaturating,  // the cross-entropy of logits (Goodfellow et al. 2014)
  kWasserstein,    // the difference of means (Arjovsky et al. 2017), with gradient_penalty()
  kHinge,          // of margins 1 for the critic, the mean for the generator (Lim & Ye 2017)
  kLeastSquares,   // halved squares of what is off 1 for real and 0 for made (Mao et al. 2017)
};

// Of what the critic says of real samples and of made ones, each of any shape: one number, to be
// made small by the critic, and by the generator.
Tensor critic_loss(GanLoss loss, const Tensor& real, const Tensor& fake);
Tensor generator_loss(GanLoss loss, const Tensor& fake);

// How far the critic's slope is from 1 (Gulrajani et al. 2017, WGAN-GP): the mean of
// (|slope| - 1)^2 at a random point between each real sample (N, ...) and a made one, which is
// added to the critic's loss 10 times, or 0.1 times for points in the plane. Its own gradient is a
// second derivative. Throws ShapeError unless the samples are (N, ...) of one shape.
Tensor gradient_penalty(const std::function<Tensor(const Tensor&)>& critic, const Tensor& real,
                        const Tensor& fake, Where where = Where::current());

// The mean of the critic's squared slope at real samples (N, ...) (Mescheder et al. 2018, R1),
// which is added to its loss gamma / 2 times. Throws ShapeError unless the samples are (N, ...).
Tensor r1_penalty(const std::function<Tensor(const Tensor&)>& critic, const Tensor& real,
                  Where where = Where::current());

struct GanOptions {
  GanLoss loss = GanLoss::kNonSaturating;
  double penalty = 10;       // how often gradient_penalty() counts, with kWasserstein
  double r1 = 0;             // gamma of r1_penalty(), with any loss
  int64_t noise = 2;         // numbers of which the generator makes a sample
  int64_t classes = 0;       // of conditional samples; 0: there are none
  int64_t batch_size = 256;  // samples in each step
  int64_t critic_steps = 1;  // steps of the critic for each of the generator
  double lr = 5e-4;          // of Adam, for both, at the start;
  double critic_lr = 0;      // or of the critic (Heusel et al. 2017, TTUR); 0: the same
  int64_t total_steps = 0;   // it falls to 0 along a cosine in so many steps; 0: it stays
  std::pair<double, double> betas = {0.5, 0.9};
  double ema_decay = 0.99;  // of the average of the generator's weights that samples are made by
};

// Real samples (N, ...), and their classes (N) i64 if samples are conditional.
struct Labelled {
  Labelled(Tensor samples, Tensor classes = {})
      : x(std::move(samples)), labels(std::move(classes)) {}
  Tensor x, labels;
};

// Noise (N, noise) with the class as ones and zeros behind: what a conditional generator takes.
Tensor with_class(const Tensor& noise, const Tensor& labels, int64_t classes,
                  Where where = Where::current());

// A generator (N, noise + classes) -> (N, ...) and a critic (N, ...) -> (N, 1 + classes) that train
// each other. Of a conditional critic the first number is what it says of any sample, and that of
// the sample's class is added: the projection of Miyato & Koyama 2018.
class Gan {
 public:
  Gan(nn::Sequential generator, nn::Sequential critic, const GanOptions& options);
  Gan(const Gan&) = delete;
  Gan& operator=(const Gan&) = delete;

  // For a Trainer by steps of the generator; `real` draws n real samples. Metrics "critic_loss" and
  // "generator_loss".
  training::Task task(std::function<Labelled(int64_t n)> real);
  // Makes n samples by the averaged weights and statistics, without gradients, of classes (n) or of
  // classes drawn evenly; and these weights.
  Tensor sample(int64_t n, const Tensor& labels = {});
  StateDict averaged_weights();

 private:
  Tensor made(int64_t n, const Tensor& labels) const;
  Tensor drawn_labels(int64_t n) const;
  Tensor score(const Tensor& x, const Tensor& labels) const;
  Tensor loss_of_critic(const Labelled& real) const;

  const GanOptions options_;
  nn::Sequential generator_, critic_;
  optim::Adam generator_optimizer_, critic_optimizer_;
  optim::AveragedParameters average_;
};

}  // namespace glia::generative
