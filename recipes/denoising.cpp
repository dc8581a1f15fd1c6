// Noise taken out of pictures: a network that says what is noise.
#include <fmt/format.h>

#include <algorithm>

#include "glia/glia.h"
#include "glia/vision/transforms.h"
#include "recipes/src/denoiser.h"
#include "recipes/src/images.h"

namespace glia::recipes {
namespace {

constexpr int64_t kPrefetch = 2;

void train(Run& run, const DenoisingSettings& s) {
  const auto [set, unseen, channels] = read_pictures(s);
  DnCnn net(channels, s.depth, s.width);
  const vision::RandomCrop cut{.height = s.crop,
                               .width = s.crop,
                               .pad_if_needed = true,
                               .padding_mode = vision::Padding::kSymmetric};
  auto training =
      data::from_tensors(arange(s.steps * s.batch))
          .augment(s.seed,
                   [&set = set, cut, sigma = s.sigma](data::Random& random, const Tensor&) {
                     const auto at = static_cast<size_t>(random.below(set.size()));
                     const vision::Annotated one =
                         vision::RandomHorizontalFlip{}(random, cut(random, {set[at]}));
                     const Tensor x = to_unit(one.image);
                     return std::array{x, x + noise_of(x.shape(), sigma, random)};
                   })
          .batch(s.batch)
          .prefetch(kPrefetch);
  optim::Adam optimizer(net.parameters(), {.lr = s.lr});
  optimizer.set_schedule(optim::one_cycle(s.lr, s.steps));
  training::Trainer trainer(
      training::supervised(net, optimizer,
                           [&](const data::Sample& b) -> training::Outcome {
                             return {mse_loss(net(b[1]), b[0]) * 65025};
                           }),
      {.steps = s.steps, .interval = std::max<int64_t>(1, s.steps / 20), .note = run.note()});
  run.say(fmt::format("{}: noise of {}, {} parameters, {} pictures, results in {}", s.data, s.sigma,
                      report::shown(net.parameter_count()), set.size(), run.folder()));
  run.fit(trainer, training, nullptr, "squares");
  run.save(net.state_dict(), {{"channels", std::vector{static_cast<double>(channels)}}});
  net.eval();
  const DenoisingVerdict verdict = judged(net, unseen, s);
  run.finish(
      {.title = "Denoising, " + s.data,
       .subtitle =
           fmt::format("Trained by {} for {} steps, noise of {}", version(), s.steps, s.sigma),
       .sections = {curve(trainer, "Squared error of a value from 0 to 255", "train_loss",
                          {fmt::format("{} steps", trainer.options().interval)}),
                    {"Test pictures", report::Images{{{"", verdict.shown}}, 160}, "", true}}},
      results_of(verdict, unseen));
}

const Register<DenoisingSettings> denoising({
    .name = "denoising",
    .task = "restoration",
    .description = "Noise taken out of pictures: DnCNN on your own.",
    .train = train,
    .load = denoiser,
    .input_help = "PNG or JPEG pictures of any size.",
    .predict_help = "Writes each picture without noise beside it, as NAME.denoised.png.",
    .evaluate_help = "Prints PSNR and SSIM of cleaned pictures, and PSNR with the noise.",
});

}  // namespace
}  // namespace glia::recipes
