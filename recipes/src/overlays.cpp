#include "overlays.h"

#include <algorithm>

#include "glia/ops.h"
#include "recipes/src/shuffled.h"

namespace glia::recipes {

Overlays overlaid(const LabelledImages& set, int64_t count) {
  const int64_t all = set.images.size(0), size = count > 0 ? std::min(count, all) : all;
  std::vector<int64_t> others = shuffled(all, 0);
  others.resize(static_cast<size_t>(size));
  const Tensor partners = from_vector(others, {size});
  const auto first = [&](const Tensor& x) { return slice(x, 0, {0, size}); };
  const auto placed = [](const Tensor& x, int64_t before, int64_t after) {
    return pad(x, {{0, 0}, {before, after}, {before, after}, {0, 0}});
  };
  const Overlays out{maximum(placed(first(set.images), 0, kOverlayShift),
                             placed(take(set.images, partners), kOverlayShift, 0)),
                     first(set.labels), take(set.labels, partners)};
  eval({out.images, out.left, out.right});
  return out;
}

data::Dataset<3> batches(const Overlays& set, const ImageForm& form) {
  constexpr int64_t kBatch = 500;
  return data::from_tensors(set.images, set.left, set.right).batch(kBatch).map(normalizing(form));
}

}  // namespace glia::recipes
