#include "glia/generative/sequence_vae.h"

#include <algorithm>
#include <string>
#include <utility>

#include "glia/error.h"
#include "glia/generative/vae.h"
#include "glia/ops.h"
#include "glia/ops/loss.h"
#include "glia/random.h"

namespace glia::generative {
namespace {

Gaussian halves(const Tensor& both) {
  const int64_t k = both.size(-1) / 2;
  return {slice(both, -1, {0, k}), slice(both, -1, {k, 2 * k})};
}

void require(bool fits, const char* name) {
  if (!fits) throw ValueError(std::string(name) + ": options out of range");
}

SequenceLoss together(const Tensor& log_likelihood, const Tensor& kl, double weight) {
  const Tensor reconstruction = -mean(log_likelihood), divergence = mean(kl);
  return {reconstruction + weight * divergence, reconstruction, divergence};
}

}  // namespace

double kl_weight(int64_t step, int64_t from, int64_t to) {
  if (to <= from) return step >= to ? 1 : 0;
  return std::clamp(static_cast<double>(step - from) / static_cast<double>(to - from), 0.0, 1.0);
}

// ---- Sentences ----------------------------------------------------------------------------------

SentenceVae::SentenceVae(const SentenceVaeOptions& o)
    : options((require(o.vocabulary > kSpecial && o.embedding >= 1 && o.hidden >= 1 &&
                           o.latent >= 1 && o.word_dropout >= 0 && o.word_dropout <= 1,
                       "SentenceVae"),
               o)),
      embedding(o.vocabulary, o.embedding),
      encoder(o.embedding, o.hidden, {.batch_first = true}),
      posterior(o.hidden, 2 * o.latent),
      start(o.latent, 2 * o.hidden),
      decoder(o.embedding + o.latent, o.hidden, {.batch_first = true}),
      dropout(o.dropout),
      out(o.hidden, o.vocabulary) {}

Gaussian SentenceVae::encode(const Tensor& words, const Tensor& lengths, Where where) const {
  if (words.rank() != 2 || lengths.shape() != Shape{words.size(0)})
    throw ShapeError("SentenceVae: words " + words.shape().str() + " and lengths " +
                         lengths.shape().str() + " are not (N, T) and (N)",
                     where);
  const Tensor h = encoder(embedding(words, where), {}, {}, lengths, where).h;
  return halves(posterior(index(h, {0})));
}

Tensor SentenceVae::decode(const Tensor& z, const Tensor& words, Where where) const {
  const int64_t n = words.size(0), steps = words.size(1) + 1;
  if (z.shape() != Shape{n, options.latent})
    throw ShapeError("SentenceVae: z is " + z.shape().str(), where);
  Tensor before = concat({full({n, 1}, kStart, kI64), cast(words, kI64)}, 1);
  if (is_training() && options.word_dropout > 0) {
    const Tensor kept =
        concat({zeros({n, 1}, kBool), bernoulli(words.shape(), options.word_dropout)}, 1);
    before = glia::where(kept, kUnknown, before);
  }
  const Tensor seen = expand(unsqueeze(z, 1), {n, steps, options.latent});
  const auto [h, c] = halves(start(z));
  const Tensor states = decoder(concat({embedding(before), seen}, 2), unsqueeze(glia::tanh(h), 0),
                                unsqueeze(c, 0), {}, where)
                            .out;
  return out(dropout(states));
}

Tensor SentenceVae::log_likelihood(const Tensor& z, const Tensor& words,
                                   const Tensor& lengths) const {
  const int64_t n = words.size(0), steps = words.size(1) + 1;
  const Tensor at = unsqueeze(arange(steps), 0), ends = unsqueeze(cast(lengths, kI64), 1);
  const Tensor next = concat({cast(words, kI64), full({n, 1}, kEnd, kI64)}, 1);
  const Tensor target = where(at < ends, next, where(at == ends, kEnd, -100));
  return -sum(cross_entropy(decode(z, words), target, {.reduction = Reduction::kNone}), {1});
}

SequenceLoss SentenceVae::loss(const Tensor& words, const Tensor& lengths, double weight) const {
  const auto [m, log_var] = encode(words, lengths);
  const Tensor likelihood = log_likelihood(sample_normal(m, log_var), words, lengths);
  return together(likelihood, sum(kl_normal(m, log_var), {1}), weight);
}

Tensor SentenceVae::log_marginal(const Tensor& words, const Tensor& lengths,
                                 int64_t samples) const {
  const NoGrad no_grad;
  const auto [m, log_var] = encode(words, lengths);
  std::vector<Tensor> weights;
  for (int64_t i = 0; i < samples; ++i) {
    const Tensor noise = randn(m.shape(), m.dtype()), z = m + exp(0.5 * log_var) * noise;
    weights.push_back(log_likelihood(z, words, lengths) +
                      0.5 * sum(square(noise) + log_var - square(z), {1}));
    glia::eval(weights.back());
  }
  return importance_bound(stack(weights));
}

std::vector<std::vector<int64_t>> SentenceVae::write(const Tensor& z, int64_t most,
                                                     bool draw) const {
  const NoGrad no_grad;
  const int64_t n = z.size(0);
  std::vector<std::vector<int64_t>> sentences(static_cast<size_t>(n));
  std::vector<bool> over(static_cast<size_t>(n));
  const auto [h0, c0] = halves(start(z));
  Tensor h = unsqueeze(glia::tanh(h0), 0), c = unsqueeze(c0, 0), word = full({n}, kStart, kI64);
  for (int64_t step = 0; step < most && !std::ranges::all_of(over, [](bool o) { return o; });
       ++step) {
    const Tensor x = unsqueeze(concat({embedding(word), z}, 1), 1);
    const LSTMResult next = decoder(x, h, c);
    h = next.h;
    c = next.c;
    // Of what is no word only the end may follow.
    const Tensor all = index(out(next.out), {Slice{}, 0}), number = arange(options.vocabulary);
    Tensor logits = where((number == kEnd) | (number >= kSpecial), all, -1e30);
    if (draw) logits = logits - log(-log(clamp(rand(logits.shape()), 1e-30, 1 - 1e-7)));
    word = argmax(logits);
    glia::eval({word, h, c});
    const std::vector<int64_t> words = word.to_vector<int64_t>();
    for (size_t i = 0; i < words.size(); ++i) {
      if (words[i] == kEnd) over[i] = true;
      if (!over[i]) sentences[i].push_back(words[i]);
    }
  }
  return sentences;
}

// ---- Curves -------------------------------------------------------------------------------------

CurveVae::CurveVae(const CurveVaeOptions& o)
    : options((require(o.features >= 1 && o.hidden >= 1 && o.latent >= 1, "CurveVae"), o)),
      encoder(o.features, o.hidden, {.batch_first = true}),
      posterior(o.hidden, 2 * o.latent),
      decoder(o.latent, o.hidden, {.batch_first = true}),
      out(o.hidden, o.features),
      log_var(zeros({})) {}

Gaussian CurveVae::encode(const Tensor& x, Where where) const {
  return halves(posterior(index(encoder(x, {}, {}, where).h, {0})));
}

Tensor CurveVae::decode(const Tensor& z, int64_t length) const {
  return out(decoder(expand(unsqueeze(z, 1), {z.size(0), length, options.latent})).out);
}

SequenceLoss CurveVae::loss(const Tensor& x, double weight) const {
  const auto [m, spread] = encode(x);
  const Tensor made = decode(sample_normal(m, spread), x.size(1));
  return together(sum(normal_log_likelihood(x, made, log_var), {1, 2}),
                  sum(kl_normal(m, spread), {1}), weight);
}

Vrnn::Vrnn(const VrnnOptions& o)
    : options((require(o.features >= 1 && o.hidden >= 1 && o.latent >= 1, "Vrnn"), o)),
      of_x(o.features, o.hidden),
      of_z(o.latent, o.hidden),
      prior_hidden(o.hidden, o.hidden),
      prior(o.hidden, 2 * o.latent),
      posterior_hidden(2 * o.hidden, o.hidden),
      posterior(o.hidden, 2 * o.latent),
      out_hidden(2 * o.hidden, o.hidden),
      out(o.hidden, 2 * o.features),
      cell(2 * o.hidden, o.hidden) {}

Vrnn::Step Vrnn::step(const Tensor& x, const Tensor& h) const {
  Step s;
  s.prior = halves(prior(relu(prior_hidden(h))));
  Gaussian from = s.prior;
  if (x.defined()) {
    s.posterior = from = halves(posterior(relu(posterior_hidden(concat({relu(of_x(x)), h}, 1)))));
  }
  s.z = sample_normal(from.mean, from.log_var);
  const Tensor seen = relu(of_z(s.z));
  s.x = halves(out(relu(out_hidden(concat({seen, h}, 1)))));
  const Tensor now = x.defined() ? x : sample_normal(s.x.mean, s.x.log_var);
  if (!x.defined()) s.x.mean = now;
  s.h = cell(concat({relu(of_x(now)), seen}, 1), h);
  return s;
}

SequenceLoss Vrnn::loss(const Tensor& x, double weight) const {
  if (x.rank() != 3 || x.size(2) != options.features || x.size(1) < 1)
    throw ShapeError("Vrnn: sequences " + x.shape().str() + " are not (N, T, " +
                     std::to_string(options.features) + ")");
  Tensor h = zeros({x.size(0), options.hidden}, x.dtype());
  std::vector<Tensor> likelihoods, divergences;
  for (int64_t t = 0; t < x.size(1); ++t) {
    const Tensor now = index(x, {Slice{}, t});
    const Step s = step(now, h);
    h = s.h;
    likelihoods.push_back(sum(normal_log_likelihood(now, s.x.mean, s.x.log_var), {1}));
    divergences.push_back(
        sum(kl_normal(s.posterior.mean, s.posterior.log_var, s.prior.mean, s.prior.log_var), {1}));
  }
  return together(sum(stack(likelihoods), {0}), sum(stack(divergences), {0}), weight);
}

Tensor Vrnn::log_marginal(const Tensor& x, int64_t samples) const {
  const NoGrad no_grad;
  std::vector<Tensor> weights;
  for (int64_t i = 0; i < samples; ++i) {
    Tensor h = zeros({x.size(0), options.hidden}, x.dtype()), total = zeros({x.size(0)}, x.dtype());
    for (int64_t t = 0; t < x.size(1); ++t) {
      const Tensor now = index(x, {Slice{}, t});
      const Step s = step(now, h);
      h = s.h;
      total = total + sum(normal_log_likelihood(now, s.x.mean, s.x.log_var), {1}) +
              sum(normal_log_likelihood(s.z, s.prior.mean, s.prior.log_var) -
                      normal_log_likelihood(s.z, s.posterior.mean, s.posterior.log_var),
                  {1});
    }
    weights.push_back(total);
    glia::eval(weights.back());
  }
  return importance_bound(stack(weights));
}

Tensor Vrnn::sample(int64_t n, int64_t length, const Tensor& begin) const {
  const NoGrad no_grad;
  const int64_t known = begin.defined() ? begin.size(1) : 0;
  if (n < 1 || length < 1 ||
      (begin.defined() && begin.shape() != Shape{n, known, options.features}))
    throw ShapeError("Vrnn::sample: " + std::to_string(n) + " sequences of " +
                     std::to_string(length) + ", or what they begin with, do not fit");
  Tensor h = zeros({n, options.hidden});
  std::vector<Tensor> out;
  for (int64_t t = 0; t < length; ++t) {
    const Tensor now = t < known ? index(begin, {Slice{}, t}) : Tensor();
    const Step s = step(now, h);
    h = s.h;
    out.push_back(now.defined() ? now : s.x.mean);
    glia::eval({h, out.back()});
  }
  return stack(out, 1);
}

}  // namespace glia::generative
