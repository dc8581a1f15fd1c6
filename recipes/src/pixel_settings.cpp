#include "recipes/src/pixel_settings.h"

#include "glia/glia.h"
#include "recipes/src/own_stream.h"

namespace glia::recipes {

void PixelSettings::declare(Fields& f) {
  auto& o = options;
  f(data, "data", "mnist", "A data set of `glia data list`, or a folder of grey pictures.",
    data_sets("image-classification", "FOLDER"));
  f(size, "size", 0, "Side of pictures; 0: that of the data set, 32 for a folder.", {0, 256});
  f(o.levels, "levels", 2, "Levels of grey; with 2, pixels are drawn by their grey, once.",
    {2, 256});
  f(o.width, "width", 32, "Channels.", {1, 4096});
  f(o.layers, "layers", 4, "Gated residual layers of both streams.", {1, 64});
  f(conditional, "conditional", true, "Classes are told to the network.");
  f(steps, "steps", 1500, "Steps of training.", {1, 1e9});
  f(batch, "batch", 32, "Pictures in each.", {1, 1e5});
  f(lr, "lr", 2e-3, "Rate of Adam; it falls to a twentieth along a cosine.", {0, 1000});
  TrainingSettings::declare(f);
}

generative::PixelCnn PixelSettings::network(const ImageForm& form) const {
  if (form.channels != 1) throw Error("--data: its pictures are not grey");
  generative::PixelCnnOptions o = options;
  o.classes = conditional ? static_cast<int64_t>(form.classes.size()) : 0;
  return generative::PixelCnn(o);
}

Tensor PixelSettings::levels_of(const Tensor& bytes, uint64_t stream) const {
  const OwnStream own(stream);
  const Tensor grey = index(bytes, {Ellipsis, 0});
  const Tensor out = options.levels == 2 ? cast(rand(grey.shape()) < to_unit(grey), kI64)
                                         : floor_divide(cast(grey, kI64) * options.levels, 256);
  eval(out);
  return out;
}

Tensor PixelSettings::bytes_of(const Tensor& levels) const {
  return unsqueeze(cast(floor_divide(levels * 255, options.levels - 1), kU8), 3);
}

double nll_of(const generative::PixelCnn& net, const Tensor& x, const Tensor& labels) {
  constexpr int64_t kAtOnce = 200;
  const NoGrad no_grad;
  double total = 0;
  for (int64_t at = 0; at < x.size(0); at += kAtOnce)
    total -=
        sum(net.log_likelihood(slice(x, 0, {at, at + kAtOnce}),
                               labels.defined() ? slice(labels, 0, {at, at + kAtOnce}) : Tensor()))
            .item();
  return total / static_cast<double>(x.size(0));
}

}  // namespace glia::recipes
