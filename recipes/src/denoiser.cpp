#include "recipes/src/denoiser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/glia.h"
#include "glia/vision/folder.h"
#include "glia/vision/image.h"
#include "glia/vision/masks.h"
#include "recipes/src/images.h"
#include "recipes/src/predictors.h"

namespace glia::recipes {
namespace {

Tensor cleaned(const DnCnn& net, const Tensor& image, int64_t depth) {
  const NoGrad no_grad;
  const auto one = [&](const Tensor& part) {
    return from_unit(squeeze(net(unsqueeze(to_unit(part), 0)), 0));
  };
  return vision::in_tiles(image, one, {.tile = 256, .margin = depth});
}

class Cleaner : public Predictor {
 public:
  Cleaner(const Saved& saved, const DenoisingSettings& s)
      : settings_(s), channels_(saved.whole("channels", 1, 3)), net_(channels_, s.depth, s.width) {
    net_.load_state_dict(saved.weights);
    net_.eval();
  }

  Computation computation() const override {
    return computation_of(
        net_, [this](const Tensor& x) { return net_(x); }, zeros({1, 64, 64, channels_}),
        "pictures", "clean");
  }

 protected:
  Results answer(const Input& input) const override {
    const auto* file = std::get_if<std::string>(&input);
    const Tensor clean =
        cleaned(net_, vision::to_channels(picture_of(input), channels_), settings_.depth);
    if (!file) return {{"picture", clean}};
    const std::string path = file->substr(0, file->rfind('.')) + ".denoised.png";
    io::write_png(path, clean);
    return {{"picture", path}};
  }
  Results score(const Evaluation& what) const override {
    DenoisingSettings s = settings_;
    if (!what.data.empty()) s.data = what.data;
    const DenoisingPictures all = read_pictures(s);
    const std::vector<Tensor>& set = what.split == "train" ? all.train : all.test;
    return results_of(judged(net_, set, s), set);
  }

 private:
  const DenoisingSettings settings_;
  const int64_t channels_;
  DnCnn net_;
};

}  // namespace

void DenoisingSettings::declare(Fields& f) {
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

DenoisingPictures read_pictures(const DenoisingSettings& s) {
  DenoisingPictures out;
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

Tensor noise_of(const Shape& shape, double sigma, data::Random& random) {
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (float& v : values) {  // Box & Muller
    const double u = 1 - random.uniform(), w = random.uniform();
    v = static_cast<float>(sigma / 255 * std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * w));
  }
  return from_vector(values, shape);
}

DenoisingVerdict judged(const DnCnn& net, const std::vector<Tensor>& set,
                        const DenoisingSettings& s) {
  DenoisingVerdict out;
  for (size_t i = 0; i < set.size(); ++i) {
    data::Random random(1, 0, i);
    const Tensor x = to_unit(set[i]);
    const Tensor noisy = from_unit(x + noise_of(x.shape(), s.sigma, random));
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

Results results_of(const DenoisingVerdict& v, const std::vector<Tensor>& set) {
  return {{"test_psnr", v.psnr},
          {"noisy_psnr", v.noisy},
          {"test_ssim", v.ssim},
          {"pictures", static_cast<int64_t>(set.size())}};
}

std::unique_ptr<Predictor> denoiser(const Saved& saved, const DenoisingSettings& s) {
  return std::make_unique<Cleaner>(saved, s);
}

}  // namespace glia::recipes
