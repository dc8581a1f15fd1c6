#include "glia/explain/page.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "glia/op.h"
#include "glia/ops.h"
#include "glia/ops/image.h"

namespace glia::explain {

Tensor heat_picture(const Tensor& image, const Tensor& heat, Where where) {
  constexpr const char* kOp = "heat_picture";
  constexpr double kGrey = 0.45, kMost = 0.99;
  require_defined(kOp, image, where);
  require_defined(kOp, heat, where);
  if (image.rank() != 3 || image.size(2) < 1 || image.size(2) > 4 || heat.rank() != 2 ||
      image.numel() == 0 || heat.numel() == 0)
    fail(kOp, "a picture " + image.shape().str() + " and heat " + heat.shape().str(), where);
  const int64_t colours = image.size(2) > 2 ? 3 : 1;
  const Tensor grey = mean(cast(slice(image, 2, {0, colours}), kF32), {2}, true);
  const Tensor large =
      squeeze(interpolate(reshape(cast(heat, kF32), {1, heat.size(0), heat.size(1), 1}),
                          {image.size(0), image.size(1)}, {.mode = InterpolationMode::kLinear}),
              0);
  const Tensor sizes = sort(reshape(abs(large), {-1}), 0).first;
  const int64_t at = static_cast<int64_t>(kMost * static_cast<double>(sizes.numel() - 1));
  double most = index(sizes, {at}).item();
  if (!(most > 0)) most = max(sizes).item();
  const Tensor strength = most > 0 ? clamp(large / most, -1, 1) : zeros_like(large);
  const Tensor red = from_vector(std::vector<float>{220, 30, 30}, {1, 1, 3}),
               blue = from_vector(std::vector<float>{30, 80, 220}, {1, 1, 3});
  const Tensor under = grey * kGrey + 255 * (1 - kGrey) * 0.6, opacity = abs(strength);
  const Tensor mixed = under * (1 - opacity) + glia::where(strength > 0, red, blue) * opacity;
  return cast(clamp(round(mixed), 0, 255), kU8);
}

Tensor channel_sums(const Tensor& attributions, Where where) {
  require_defined("channel_sums", attributions, where);
  if (attributions.rank() != 3)
    fail("channel_sums", "attributions are (H, W, C), not " + attributions.shape().str(), where);
  return sum(attributions, {2});
}

report::Section pictures_section(const std::string& title, const Tensor& image,
                                 const std::vector<std::pair<std::string, Tensor>>& heat,
                                 Where where) {
  report::Images images{.groups = {{"", {{image, "input", ""}}}}, .width = 220};
  for (const auto& [name, map] : heat)
    images.groups[0].pictures.push_back({heat_picture(image, map, where), name, ""});
  return {.title = title,
          .body = images,
          .note = "Red speaks for the answer, blue against it.",
          .wide = true};
}

report::Section words_section(const std::string& title, const std::vector<std::string>& parts,
                              const std::vector<double>& weights, Where where) {
  if (parts.size() != weights.size())
    fail("words_section",
         std::to_string(weights.size()) + " weights of " + std::to_string(parts.size()) + " parts",
         where);
  report::Texts::Text text;
  for (size_t i = 0; i < parts.size(); ++i) text.spans.push_back({parts[i], weights[i]});
  return {.title = title,
          .body = report::Texts{{text}},
          .note =
              "Shaded by how much each word speaks for the answer or, in the other colour, "
              "against it.",
          .wide = true};
}

report::Section bars_section(const std::string& title, const std::vector<std::string>& features,
                             const std::vector<double>& values, int64_t most, Where where) {
  if (features.size() != values.size())
    fail("bars_section",
         std::to_string(values.size()) + " values of " + std::to_string(features.size()) +
             " features",
         where);
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(
      order, [&](size_t a, size_t b) { return std::abs(values[a]) > std::abs(values[b]); });
  report::Bars bars;
  for (size_t i : order)
    if (static_cast<int64_t>(bars.bars.size()) < most)
      bars.bars.push_back({features[i], values[i]});
  return {.title = title, .body = bars, .wide = true};
}

}  // namespace glia::explain
