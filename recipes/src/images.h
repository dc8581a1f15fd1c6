// Labelled images for recipes: sets of the catalogue, and folders of the user's.
#pragma once

#include <string>
#include <vector>

#include "glia/data.h"
#include "glia/recipes/recipe.h"

namespace glia::recipes {

// What a model must know of its images, which its file keeps.
struct ImageForm {
  std::vector<std::string> classes;
  int64_t size = 0, channels = 0;
  std::vector<double> mean, std;  // of each channel, of values from 0 to 255
  bool dark = false;              // grey things, bright on a dark background

  // Bytes (N, size, size, channels) as f32 with mean and deviation taken out; by a random stream,
  // each image shifted by up to so many pixels, black coming in, and every second one mirrored.
  Tensor normalized(const Tensor& images) const;
  Tensor augmented(data::Random& random, const Tensor& images, int64_t shift, bool mirror) const;
  // Any picture u8 (H, W, 1 to 4) as the training images are: (1, size, size, channels) u8. The
  // note says what had to be done to it.
  Tensor prepared(const Tensor& image, std::string& note) const;

  Facts facts() const;
  static ImageForm of(const Saved& saved);  // throws IoError for what cannot be
};

// The picture of a file, or what was given.
Tensor picture_of(const Input& input);
// Bytes as f32 of 0 to 1, and numbers as the nearest bytes.
Tensor to_unit(const Tensor& bytes);
Tensor from_unit(const Tensor& x);

struct LabelledImages {
  Tensor images, labels;  // u8 (N, size, size, channels) and i64 (N)
};

// Which images: of a set of the catalogue, or of a folder. A folder has a folder for each class; or
// folders train and test (or val) that have these; if not, part of each class is for the test.
struct ImageSource {
  std::string data;
  double test_share = 0.2;
  uint64_t seed = 0;
  std::string name() const;   // of the set, or of the folder
  std::string title() const;  // as people call it
};
// Whether the catalogue has such a set of labelled samples.
bool is_known_set(const std::string& name);
// Both splits, and their form. A size of 0 is the set's own, or 32 for a folder.
struct ImageSplits {
  LabelledImages train, test;
  ImageForm form;
};
ImageSplits read_images(const ImageSource& source, int64_t size);
// One split for a model of that form; of a folder that has no splits, and is not to be split, all.
// Throws Error for other classes.
LabelledImages read_images(const ImageSource& source, data::Split split, bool splits,
                           const ImageForm& form);
// Batches of images, normalized, and labels: of the first `count`, or of all if it is 0.
data::Dataset<2> batches(const LabelledImages& set, const ImageForm& form, int64_t count = 0);

}  // namespace glia::recipes
