#include "explanations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/error.h"
#include "glia/explain/attribution.h"
#include "glia/explain/inspection.h"
#include "glia/explain/layers.h"
#include "glia/explain/metrics.h"
#include "glia/explain/page.h"
#include "glia/explain/perturb.h"
#include "glia/ops.h"

namespace glia::recipes {
namespace {

constexpr int64_t kSmoothSamples = 16;
constexpr double kSmoothNoise = 0.15;  // of the picture's range
constexpr size_t kCurves = 4;
constexpr int64_t kGrid = 30;

}  // namespace

int64_t explained_class(const std::vector<std::string>& classes, const std::string& named,
                        const std::vector<double>& probabilities) {
  if (named.empty()) return std::ranges::max_element(probabilities) - probabilities.begin();
  const auto at = std::ranges::find(classes, named);
  if (at == classes.end())
    throw ValueError(
        fmt::format("'{}' is no class of the model: {}", named, fmt::join(classes, ", ")));
  return at - classes.begin();
}

std::vector<report::Section> picture_sections(const std::function<Tensor(const Tensor&)>& logits,
                                              const Tensor& x, const Tensor& shown, int64_t label) {
  const explain::Target target(label);
  const double range = (max(x) - min(x)).item();
  const auto integrated = explain::integrated_gradients(logits, x, {.target = target});
  const Tensor smooth = explain::noise_tunnel(
      [&](const Tensor& noisy) { return explain::saliency(logits, noisy, {.target = target}); }, x,
      {.nt_samples = kSmoothSamples, .stdevs = kSmoothNoise * range});
  const int64_t window = std::max<int64_t>(1, x.size(1) / 8);
  const Tensor occluded = explain::occlusion(
      logits, x,
      {.target = target,
       .sliding_window_shapes = {window, std::min(window, x.size(2)), x.size(3)},
       .strides = {std::max<int64_t>(1, window / 2), std::max<int64_t>(1, window / 2), x.size(3)}});
  const auto map = [](const Tensor& attributions) {
    return explain::channel_sums(index(attributions, {0}));
  };
  std::vector<std::pair<std::string, Tensor>> heat{
      {"integrated gradients", integrated.attributions},
      {"SmoothGrad", smooth},
      {"occlusion", occluded}};
  std::vector<std::pair<std::string, Tensor>> maps;
  for (const auto& [name, a] : heat) maps.emplace_back(name, map(a));
  try {
    const Tensor cam = explain::grad_cam(logits, x, {.target = target, .relu_attributions = true});
    maps.insert(maps.begin(), {"Grad-CAM", index(cam, {0})});
  } catch (const ShapeError&) {
    throw;
  } catch (const Error&) {  // a model without maps, such as a perceptron
  }
  report::Table trust{{{"method"}, {"deletion"}, {"insertion"}, {"infidelity"}}, {}};
  for (const auto& [name, a] : heat) {
    const auto curve = explain::deletion_insertion(logits, x, a, {.target = target});
    trust.rows.push_back(
        {name, curve.deletion.item(), curve.insertion.item(),
         explain::infidelity(logits, x, a, {.target = target, .normalize = true}).item()});
  }
  return {explain::pictures_section("Where it looks", shown, maps),
          {.title = "Whether the maps can be trusted",
           .body = trust,
           .note = fmt::format(
               "The class's logit as the most important places go (deletion: low is good) or come "
               "(insertion: high is good), and how far the map misses what small changes do. "
               "Integrated gradients add up to the change of the logit within {:.2g}.",
               std::abs(integrated.delta.item())),
           .wide = true}};
}

std::vector<report::Section> row_sections(const std::function<Tensor(const Tensor&)>& said,
                                          const Tensor& row, const Tensor& background,
                                          const std::vector<RowColumn>& columns) {
  const auto shap = explain::kernel_shap(said, row, {.background = background});
  const auto phi = shap.values.to_vector<double>();
  std::vector<std::string> labels;
  for (const RowColumn& c : columns) labels.push_back(c.name + " = " + c.value);
  std::vector<report::Section> out{explain::bars_section("What each column adds", labels, phi)};
  out[0].note = fmt::format(
      "SHAP values: from {:.4g}, the mean over {} rows of the training data, to {:.4g}.",
      shap.expected_value.item(), background.size(0), said(row).item());
  std::vector<size_t> order(phi.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order,
                           [&](size_t a, size_t b) { return std::abs(phi[a]) > std::abs(phi[b]); });
  for (size_t k = 0; k < std::min(kCurves, order.size()); ++k) {
    const RowColumn& column = columns[order[k]];
    const auto values = static_cast<int64_t>(column.categories.size());
    const auto curve = explain::partial_dependence(
        said, concat({row, background}, 0), static_cast<int64_t>(order[k]),
        {.percentiles = {0, 1}, .grid_resolution = std::max<int64_t>(kGrid, values + 2)});
    if (curve.grid.numel() < 2) continue;
    const auto x = curve.grid.to_vector<double>(), mean = curve.average.to_vector<double>(),
               own = index(curve.individual, {0}).to_vector<double>();
    report::Section section{
        .title = column.name,
        .note = "The answer where this column has another value; it has " + column.value + "."};
    if (values > 0) {
      report::Table table{{{column.name}, {"this row"}, {"mean of all"}}, {}};
      for (size_t i = 0; i < x.size(); ++i) {
        const bool known = x[i] >= 0 && x[i] < static_cast<double>(values);
        table.rows.push_back(
            {known ? column.categories[static_cast<size_t>(x[i])] : "another", own[i], mean[i]});
      }
      section.body = table;
    } else {
      section.body = report::Curves{.series = {{.name = "this row", .y = own, .x = x},
                                               {.name = "mean of all", .y = mean, .x = x}},
                                    .x = {column.name}};
    }
    out.push_back(std::move(section));
  }
  return out;
}

}  // namespace glia::recipes
