// Pictures of two things: what a data set shows, laid over each other in pairs.
#pragma once

#include <array>
#include <cstdint>

#include "recipes/src/images.h"

namespace glia::recipes {

inline constexpr int64_t kOverlayShift = 8;  // pixels between the corners of the two

struct Overlays {
  Tensor images;       // u8 (N, size + 8, size + 8, channels)
  Tensor left, right;  // i64 (N): classes
};
// Each picture at the upper left with another one, which a fixed draw tells, at the lower right,
// the brighter value where they overlap: MultiMNIST (Sabour et al. 2017) as Sener & Koltun 2018 and
// Lin et al. 2019 have it. The first `count`, or all if it is 0.
Overlays overlaid(const LabelledImages& set, int64_t count = 0);

// For map() behind batch(): f32 images and both labels.
inline auto normalizing(const ImageForm& form) {
  return [form](const Tensor& x, const Tensor& left, const Tensor& right) {
    return std::array{form.normalized(x), left, right};
  };
}
data::Dataset<3> batches(const Overlays& set, const ImageForm& form);

}  // namespace glia::recipes
