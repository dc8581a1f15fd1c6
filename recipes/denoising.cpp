// Noise taken out of pictures: a network that says what is noise.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "glia/vision/folder.h"
#include "glia/vision/image.h"
#include "glia/vision/masks.h"
#include "glia/vision/transforms.h"
#include "recipes/src/images.h"

namespace glia::recipes {
namespace {

constexpr int64_t kPrefetch = 2;

// Convolutions with batch norm whose sum is the noise (Zhang et al. 2017, DnCNN).
struct DnCnn : nn::Module {
  DnCnn(int64_t channels, int64_t depth, int64_t width)
      : first(channels, width, {.kernel = 3, .padding = 1}),
        last(width, channels, {.kernel = 3, .padding = 1, .bias = false}) {
    for (int64_t i = 2; i < depth; ++i) {
      layers.emplace_back(width, width, nn::ConvOptions{.kernel = 3, .padding = 1, .bias = false});
      norms.emplace_back(width);
    }
  }
  Tensor operator()(const Tensor& x) const {  // of 0 to 1, noisy -> without noise
    Tensor h = relu(first(x));
    for (size_t i = 0; i < layers.size(); ++i) h = relu(norms[i](layers[i](h)));
    return x - last(h);
  }
  nn::Conv2d first;
  std::vector<nn::Conv2d> layers;
  std::vector<nn::BatchNorm2d> norms;
  nn::Conv2d last;
  GLIA_FIELDS(first, layers, norms, last)
};

struct DenoisingSettings : TrainingSettings {
  std::string data;
  double sigma = 0, lr = 0;
  int64_t depth = 0, width = 0, crop = 0, batch = 0, steps = 0;

  void declare(Fields& f) override {
    f(data, "data", "cifar10",
      "A data set of pictures, or a folder of them; each fifth is for the test.",
      data_sets("image-classification", "FOLDER"));
    f(sigma, "sigma", 25, "Deviation of the noise, of values from 0 to 255.", {0.1, 255});
    f(depth, "depth", 10, "Convolutions; 17 as published.", {2, 100});
    f(width, "width", 48, "Channels between; 64 as published.", {1, 1024});
    f(crop, "crop", data == "cifar10" ? 32 : 40,
      "Side of the squares that are cut out of pictures by chance.", {8, 1024});
    f(batch, "batch", 32, "Squares in each step.", {1, 4096});
    f(steps, "steps", 1000, "Steps of training.", {1, 1e8});
    f(lr, "lr", 1e-3, "Highest rate of Adam's one-cycle schedule.", {0, 1000});
    TrainingSettings::declare(f);
  }
};

struct Pictures {
  std::vector<Tensor> train, test;  // u8 (H, W, channels)
  int64_t channels = 3;
};

Pictures read(const DenoisingSettings& s) {
  Pictures out;
  std::vector<Tensor> all;
  if (is_known_set(s.data)) {
    const ImageSplits set = read_images(ImageSource{s.data}, 0);
    out.channels = set.form.channels;
    for (int64_t i = 0; i < std::min<int64_t>(set.train.images.size(0), 20000); ++i)
      out.train.push_back(index(set.train.images, {i}));
    for (int64_t i = 0; i < std::min<int64_t>(set.test.images.size(0), 200); ++i)
      out.test.push_back(index(set.test.images, {i}));
    return out;
  }
  for (const std::string& file : vision::list_images(s.data))
    all.push_back(vision::read_image(file));
  if (all.size() < 5)
    throw Error(fmt::format("--data {}: {} pictures are fewer than five", s.data, all.size()));
  const bool colour = std::ranges::any_of(all, [](const Tensor& x) { return x.size(2) >= 3; });
  out.channels = colour ? 3 : 1;
  for (size_t i = 0; i < all.size(); ++i)
    (i % 5 == 4 ? out.test : out.train).push_back(vision::to_channels(all[i], out.channels));
  return out;
}

Tensor as_bytes(const Tensor& x) { return cast(round(clamp(x, 0, 1) * 255), kU8); }

Tensor noise_of(const Shape& shape, double sigma, data::Random& random) {
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (float& v : values) {  // Box & Muller
    const double u = 1 - random.uniform(), w = random.uniform();
    v = static_cast<float>(sigma / 255 * std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * w));
  }
  return from_vector(values, shape);
}

Tensor cleaned(const DnCnn& net, const Tensor& image, int64_t depth) {
  const NoGrad no_grad;
  const auto one = [&](const Tensor& part) {
    return as_bytes(squeeze(net(unsqueeze(cast(part, kF32) / 255, 0)), 0));
  };
  return vision::in_tiles(image, one, {.tile = 256, .margin = depth});
}

// Noisy and cleaned PSNR, means over pictures; noise is the same each time.
struct Verdict {
  double noisy = 0, psnr = 0, ssim = 0;
  std::vector<report::Images::Picture> shown;
};
Verdict judged(const DnCnn& net, const std::vector<Tensor>& set, const DenoisingSettings& s) {
  Verdict out;
  for (size_t i = 0; i < set.size(); ++i) {
    data::Random random(1, 0, i);
    const Tensor x = cast(set[i], kF32) / 255;
    const Tensor noisy = as_bytes(x + noise_of(x.shape(), s.sigma, random));
    const Tensor clean = cleaned(net, noisy, s.depth);
    const double n = static_cast<double>(set.size());
    out.noisy += vision::psnr(set[i], noisy) / n;
    out.psnr += vision::psnr(set[i], clean) / n;
    out.ssim += vision::ssim(set[i], clean) / n;
    if (i < 4)
      for (const auto& [picture, name] :
           {std::pair{set[i], "picture"}, {noisy, "with noise"}, {clean, "cleaned"}})
        out.shown.push_back({picture, name});
  }
  return out;
}

Results results_of(const Verdict& v, const std::vector<Tensor>& set) {
  return {{"test_psnr", v.psnr},
          {"noisy_psnr", v.noisy},
          {"test_ssim", v.ssim},
          {"pictures", static_cast<int64_t>(set.size())}};
}

void train(Run& run, const DenoisingSettings& s) {
  const auto [set, unseen, channels] = read(s);
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
                     const Tensor x = cast(one.image, kF32) / 255;
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
  const Verdict verdict = judged(net, unseen, s);
  run.finish(
      {.title = "Denoising, " + s.data,
       .subtitle =
           fmt::format("Trained by {} for {} steps, noise of {}", version(), s.steps, s.sigma),
       .sections = {curve(trainer, "Squared error of a value from 0 to 255", "train_loss",
                          {fmt::format("{} steps", trainer.options().interval)}),
                    {"Test pictures", report::Images{{{"", verdict.shown}}, 160}, "", true}}},
      results_of(verdict, unseen));
}

class Cleaner : public Predictor {
 public:
  Cleaner(const Saved& saved, const DenoisingSettings& s)
      : settings_(s), channels_(saved.whole("channels", 1, 3)), net_(channels_, s.depth, s.width) {
    net_.load_state_dict(saved.weights);
    net_.eval();
  }

  Computation computation() const override {
    return {.module = &net_,
            .function =
                [this](const std::vector<Tensor>& x) { return std::vector<Tensor>{net_(x[0])}; },
            .examples = {zeros({1, 64, 64, channels_})},
            .inputs = {"pictures"},
            .outputs = {"clean"}};
  }

 protected:
  Results answer(const Input& input) const override {
    const auto* file = std::get_if<std::string>(&input);
    const Tensor image = file ? vision::read_image(*file) : std::get<Tensor>(input);
    const Tensor clean = cleaned(net_, vision::to_channels(image, channels_), settings_.depth);
    if (!file) return {{"picture", clean}};
    const std::string path = file->substr(0, file->rfind('.')) + ".denoised.png";
    io::write_png(path, clean);
    return {{"picture", path}};
  }
  Results score(const Evaluation& what) const override {
    DenoisingSettings s = settings_;
    if (!what.data.empty()) s.data = what.data;
    const Pictures all = read(s);
    const std::vector<Tensor>& set = what.split == "train" ? all.train : all.test;
    return results_of(judged(net_, set, s), set);
  }

 private:
  const DenoisingSettings settings_;
  const int64_t channels_;
  DnCnn net_;
};

const Register<DenoisingSettings> denoising({
    .name = "denoising",
    .task = "restoration",
    .description = "Noise taken out of pictures: DnCNN on your own.",
    .train = train,
    .load = make_predictor<Cleaner, DenoisingSettings>,
    .input_help = "PNG or JPEG pictures of any size.",
    .predict_help = "Writes each picture without noise beside it, as NAME.denoised.png.",
    .evaluate_help = "Prints PSNR and SSIM of cleaned pictures, and PSNR with the noise.",
});

}  // namespace
}  // namespace glia::recipes
