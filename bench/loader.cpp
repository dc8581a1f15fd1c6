// An epoch of 50,000 images: shuffled, cropped, mirrored, normalised, in batches of 256.
#include "bench.h"

namespace glia::bench {

Result loader(const Options& options) {
  constexpr int64_t kImages = 50'000;
  const Tensor images = cast(randint(0, 256, {kImages, 32, 32, 3}), kU8);
  eval(images);
  const data::ImageOptions change{
      .padding = 4, .flip = true, .mean = {0.49, 0.48, 0.45}, .std = {0.25, 0.24, 0.26}};
  auto epoch = data::from_tensors(images)
                   .shuffle(0)
                   .batch(256)
                   .augment(0,
                            [=](data::Random& random, const Tensor& x) {
                              return std::array{data::augment_images(random, x, change)};
                            })
                   .prefetch(2);
  Result result = run(options, [&] {
    Tensor last;
    for (auto [x] : epoch) last = x;
    return last;
  });
  result.facts = {{"bytes", 5.0 * kImages * 32 * 32 * 3}};
  return result;
}

}  // namespace glia::bench
