// Pictures with masks for recipes: sets of the catalogue, and folders of the user's.
#pragma once

#include <string>
#include <vector>

#include "glia/recipes/recipe.h"
#include "glia/report.h"
#include "glia/vision/masks.h"
#include "glia/vision/networks.h"

namespace glia::recipes {

// What a model must know of its pictures, which its file keeps.
struct MaskForm {
  std::vector<std::string> classes;  // the values of masks, as texts
  int64_t channels = 0;
  double mean = 0, std = 1;  // of all channels, of values from 0 to 255

  // u8 (H, W, 1 to 4) as f32 (H, W, channels) with mean and deviation taken out.
  Tensor normalized(const Tensor& image) const;
  // Classes i64 (H, W) by the values that stand for them.
  Tensor as_picture(const Tensor& mask) const;
  Facts facts() const;
  static MaskForm of(const Saved& saved);  // throws IoError for what cannot be
};
struct MaskSplits {
  vision::MaskedPictures train, test;
  MaskForm form;
};
// Both parts by chance; of `form`, if it is given, the classes.
MaskSplits read_masks(const std::string& data, double test_share, int64_t seed,
                      const MaskForm* form = nullptr);

// The classes i64 (H, W) of a picture of any size.
Tensor guessed(const vision::Network& net, const Tensor& image, const MaskForm& form);
vision::Overlap overlap(const vision::Network& net, const std::vector<vision::Annotated>& set,
                        const MaskForm& form);
Results results_of(const vision::Overlap& found, const MaskForm& form);
// A few pictures, their masks and the network's.
report::Section shown_masks(const vision::Network& net, const std::vector<vision::Annotated>& set,
                            const MaskForm& form);

}  // namespace glia::recipes
