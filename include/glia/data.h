// Data sets: samples, and the pipeline that shuffles, batches, changes and prefetches them.
//
//   for (auto [x, y] : data::fashion_mnist(data::Train).shuffle(seed).batch(128).prefetch(2))
//
// Every stage is a pure function of (epoch, position), so a pass can be resumed anywhere at no
// cost and gives the same batches whatever the threads.
#pragma once

#include "glia/data/dataset.h"
#include "glia/data/sample.h"
#include "glia/data/source.h"

namespace glia::data {

// ---- Images -----------------------------------------------------------------------------------

struct ImageOptions {
  int64_t padding = 0;            // a random crop of the image's size after so many zeros around it
  bool flip = false;              // a mirror image with probability 1/2
  std::vector<double> mean, std;  // of each channel, for values in [0, 1]; empty: 0 and 1
};
// Images (N, H, W, C) u8 -> f32, each with a crop and flip of its own, then (x / 255 - mean) / std.
// For augment() behind batch(). Throws ShapeError for other images.
Tensor augment_images(Random& random, const Tensor& images, const ImageOptions& options);

// Mixtures of the samples of a batch with the ones before them, for augment() behind batch(), as
// torchvision's MixUp and CutMix. Images are floats (N, ...), labels class indices (N) or
// probabilities (N, num_classes); these come out as probabilities f32, which cross_entropy() takes.
// `alpha`, above 0, is that of the Beta distribution of the parts, drawn once for the batch. Throws
// ShapeError and ValueError for others.
//
// All numbers are weighted sums (Zhang et al. 2018).
std::array<Tensor, 2> mixup(Random& random, const Tensor& images, const Tensor& labels,
                            int64_t num_classes, double alpha = 1);
// Of images (N, H, W, C) a box is that of the other, and labels are mixed by its area (Yun et al.
// 2019).
std::array<Tensor, 2> cutmix(Random& random, const Tensor& images, const Tensor& labels,
                             int64_t num_classes, double alpha = 1);

// ---- Data sets --------------------------------------------------------------------------------

enum Split { Train, Test };

// Fashion-MNIST (Xiao et al. 2017): images (28, 28, 1) u8 and labels () i64, 60,000 or 10,000 of
// them. The idx files, gzipped or not, are looked for in `folder`, or if that is empty in
// $GLIA_DATA/fashion-mnist and /usr/share/datasets/fashion-mnist, where Debian's package
// dataset-fashion-mnist puts them: all in the first folder that has any. Throws IoError.
Dataset<2> fashion_mnist(Split split, const std::string& folder = "");
inline constexpr std::array<const char*, 10> kFashionClasses = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

}  // namespace glia::data
