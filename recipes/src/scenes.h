// Pictures with boxes for recipes: generated scenes, and files of the user's.
#pragma once

#include <string>
#include <vector>

#include "glia/recipes/recipe.h"
#include "glia/report.h"
#include "glia/vision/detector.h"

namespace glia::recipes {

struct Scenes {
  std::vector<vision::Annotated> pictures;  // size x size: image, boxes, labels
  vision::BoxedPictures truth;              // as they are in the files
};
struct SceneForm {
  std::vector<std::string> classes;
  int64_t size = 0, channels = 3;
  // u8 (H, W, 1 to 4) as (size, size, channels) f32 of -1 to 1.
  Tensor normalized(const Tensor& image) const;
  Facts facts() const;
  static SceneForm of(const Saved& saved);  // throws IoError for what cannot be
};
// Digits of MNIST, three to six in a picture of noise, of a fifth to a third of its side; each
// number of a picture gives the same one.
Scenes digit_scenes(bool training, int64_t count, int64_t size);
// COCO's or YOLO's files: of a folder with annotations.json (pictures beside it, or in images), or
// with images and labels.
Scenes read_scenes(const std::string& folder, const SceneForm& form);
vision::BoxedPictures read_boxes(const std::string& folder);

// What a detector finds in all pictures, in the pixels of the truth.
std::vector<vision::Detections> found_in(const vision::Detector& net, const Scenes& scenes,
                                         const SceneForm& form);
// COCO's numbers as results, and a picture or more with boxes drawn.
Results results_of(const vision::CocoResult& found, const SceneForm& form);
Tensor drawn(const Tensor& image, const Tensor& boxes);
report::Section shown_scenes(const Scenes& scenes, const std::vector<vision::Detections>& found,
                             const SceneForm& form);

}  // namespace glia::recipes
