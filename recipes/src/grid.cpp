#include <algorithm>
#include <cmath>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/recipes/recipe.h"

namespace glia::recipes {

Tensor picture_grid(const Tensor& pictures, int64_t columns) {
  constexpr int64_t kBetween = 2;
  if (pictures.rank() != 4 || pictures.numel() == 0 || pictures.dtype() != kU8 || columns < 0)
    throw ShapeError("picture_grid: " + pictures.shape().str() + " is not u8 (N, H, W, C)");
  const int64_t n = pictures.size(0), height = pictures.size(1), width = pictures.size(2),
                channels = pictures.size(3);
  if (columns == 0) columns = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(n))));
  columns = std::min(columns, n);
  const int64_t rows = (n + columns - 1) / columns;
  const Tensor framed =
      pad(pictures, {{0, rows * columns - n}, {0, kBetween}, {0, kBetween}, {0, 0}});
  const int64_t h = height + kBetween, w = width + kBetween;
  const Tensor in_rows = reshape(framed, {rows, columns, h, w, channels});
  const Tensor all = reshape(permute(in_rows, {0, 2, 1, 3, 4}), {rows * h, columns * w, channels});
  return slice(slice(all, 0, {0, rows * h - kBetween}), 1, {0, columns * w - kBetween});
}

}  // namespace glia::recipes
