#include "recipes/src/vae_settings.h"

#include <algorithm>

#include "glia/generative/dcgan.h"
#include "glia/glia.h"
#include "recipes/src/numbers.h"
#include "recipes/src/own_stream.h"

namespace glia::recipes {

void VaeSettings::declare(Fields& f) {
  auto& o = options;
  f(data, "data", "mnist", "A data set of `glia data list`, or a folder.",
    data_sets("image-classification", "FOLDER"));
  f(model, "model", "dense", "Layers with tanh, or convolutions.", {{"dense", "conv"}});
  f(likelihood, "likelihood", "bernoulli", "What a pixel is drawn from, given z.",
    {{"bernoulli", "gaussian"}});
  const bool bernoulli = likelihood == "bernoulli";
  o.likelihood = bernoulli ? generative::Likelihood::kBernoulli : generative::Likelihood::kGaussian;
  f(binarise, "binarise", bernoulli ? "static" : "no",
    "Pixels become 0 or 1, drawn once by their grey (static), or anew in each step.",
    {{"no", "static", "dynamic"}});
  f(bound, "bound", "elbo", "What is made large; iwae: by --samples importance samples.",
    {{"elbo", "iwae"}});
  o.importance = bound == "iwae";
  f(o.samples, "samples", o.importance ? 50 : 1, "Of z for each picture.", {1, 10000});
  f(o.latent, "latent", 50, "Numbers of z.", {1, 10000});
  f(hidden, "hidden", "200,200", "Widths of dense layers, with commas.");
  f(width, "width", 32, "Channels of convolutions next to the picture.", {1, 4096});
  f(o.beta, "beta", 1, "How much the divergence counts.", {0, 1e6});
  f(o.free_bits, "free-bits", 0, "Nats that each number of z may diverge for free.", {0, 100});
  f(epochs, "epochs", 30, "Passes over the training pictures.", {1, 100000});
  f(batch, "batch", 100, "Pictures in each step.", {2, 60000});
  f(lr, "lr", 1e-3, "Rate of Adam; it falls to a hundredth along a cosine.", {0, 1000});
  f(nll_samples, "nll-samples", 5000, "Importance samples of the test's -log p(x).", {1, 1e6});
  f(nll_count, "nll-count", 500, "Test pictures that it is estimated of.", {1, 1e6});
  f(judged, "judged", 1000, "How many pictures are drawn to judge them.", {10, 100000});
  TrainingSettings::declare(f);
}

generative::Vae VaeSettings::network(const ImageForm& form) const {
  const int64_t both = 2 * options.latent;
  if (model == "conv") {
    const generative::DcganOptions o{
        .size = form.size, .channels = form.channels, .width = width, .tanh = false};
    return generative::Vae(generative::dcgan_critic(both, o),
                           generative::dcgan_generator(options.latent, o), options);
  }
  const std::vector<int64_t> widths = whole_numbers_of("hidden", hidden, 65536);
  const std::vector<int64_t> back(widths.rbegin(), widths.rend());
  const Shape example{form.size, form.size, form.channels};
  return generative::Vae(generative::dense_encoder(example, widths, both),
                         generative::dense_decoder(options.latent, back, example), options);
}

Tensor VaeSettings::prepared(const Tensor& bytes) const {
  const Tensor x = to_unit(bytes);
  return binarise == "dynamic" ? cast(rand(x.shape()) < x, kF32) : x;
}

void VaeSettings::binarise_once(Tensor& bytes, uint64_t stream) const {
  if (binarise != "static") return;
  const OwnStream own(stream);
  bytes = cast(cast(rand(bytes.shape()) < to_unit(bytes), kU8) * 255, kU8);
  eval(bytes);
}

ImageSplits VaeSettings::read(int64_t size) const {
  ImageSplits splits = read_images(source(), size);
  binarise_once(splits.train.images, 1);
  binarise_once(splits.test.images, 2);
  return splits;
}

double nll_of(const generative::Vae& net, const VaeSettings& s, const Tensor& images,
              int64_t count) {
  count = std::min(count, images.size(0));
  const Tensor at = floor_divide(arange(count) * images.size(0), count);
  const Tensor x = s.prepared(take(images, at));
  return -mean(net.log_marginal(x, s.nll_samples)).item();
}

}  // namespace glia::recipes
