#include "glia/classic/plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "checks.h"
#include "columns.h"
#include "glia/classic/calibration.h"
#include "glia/classic/metrics.h"
#include "glia/ops.h"
#include "glia/ops/reduce.h"

namespace glia::classic {
namespace {

constexpr double kGap = std::numeric_limits<double>::quiet_NaN();

std::vector<double> numbers(const Tensor& t) { return cast(t, kF64).to_vector<double>(); }

// Calls draw(name, is the class, score) for each class that is drawn.
using Draw = std::function<void(const std::string&, const Tensor&, const Tensor&)>;
void each_class(const char* op, const Tensor& y_true, const Tensor& y_prob,
                const std::vector<std::string>& classes, const Draw& draw, Where where) {
  constexpr size_t kMostCurves = 8;
  if (!y_prob.defined() || y_prob.rank() != 2 || !y_true.defined() ||
      y_true.shape() != Shape{y_prob.size(0)} ||
      y_prob.size(1) != static_cast<int64_t>(classes.size()))
    throw ShapeError(
        std::string(op) + ": y_true is (N), y_prob (N, " + std::to_string(classes.size()) + ")",
        where);
  size_t drawn = 0;
  for (size_t c = classes.size() == 2 ? 1 : 0; c < classes.size() && drawn < kMostCurves; ++c) {
    const Tensor is = cast(y_true == static_cast<int64_t>(c), kI64);
    const double share = mean(cast(is, kF64)).item();
    if (share == 0 || share == 1) continue;
    draw(classes[c], is, index(y_prob, {Slice{}, static_cast<int64_t>(c)}));
    ++drawn;
  }
}

void require_sizes(const char* op, bool right, const char* what, Where where) {
  if (!right) throw ShapeError(std::string(op) + ": " + what, where);
}

// The mean of each row, and its deviation.
report::Curves::Series with_band(const std::string& name, const Tensor& scores,
                                 const std::vector<double>& x) {
  return {name, numbers(nanmean(scores, {1})), x, numbers(sqrt(var(scores, {1}, false, 0)))};
}

}  // namespace

// ---- Classes
// ----------------------------------------------------------------------------------------

report::Section roc_section(const Tensor& y_true, const Tensor& y_prob,
                            const std::vector<std::string>& classes, Where where) {
  report::Curves curves{{}, {"false positives", true}, {"true positives", true}};
  each_class(
      "roc_section", y_true, y_prob, classes,
      [&](const std::string& name, const Tensor& is, const Tensor& score) {
        const RocCurve r = roc_curve(is, score, {}, where);
        curves.series.push_back({name, numbers(r.tpr), numbers(r.fpr)});
      },
      where);
  curves.series.push_back({"by chance", {0, 1}, {0, 1}});
  return {
      "ROC curve", curves,
      "Of each threshold: how many of the class are found, and how many of the others are taken "
      "for it."};
}

report::Section precision_recall_section(const Tensor& y_true, const Tensor& y_prob,
                                         const std::vector<std::string>& classes, Where where) {
  report::Curves curves{{}, {"recall", true}, {"precision", true}};
  each_class(
      "precision_recall_section", y_true, y_prob, classes,
      [&](const std::string& name, const Tensor& is, const Tensor& score) {
        const PrecisionRecallCurve q =
            precision_recall_curve(is, score, {.drop_intermediate = true}, where);
        curves.series.push_back({name, numbers(q.precision), numbers(q.recall)});
      },
      where);
  return {"Precision and recall", curves};
}

report::Section calibration_section(const Tensor& y_true, const Tensor& y_prob,
                                    const std::vector<std::string>& classes, int64_t n_bins,
                                    Where where) {
  report::Curves curves{{}, {"probability", true}, {"how often it is so", true}};
  each_class(
      "calibration_section", y_true, y_prob, classes,
      [&](const std::string& name, const Tensor& is, const Tensor& score) {
        const CalibrationCurve k = calibration_curve(is, clamp(score, 0, 1), n_bins,
                                                     CalibrationStrategy::kUniform, {}, where);
        curves.series.push_back({name, numbers(k.prob_true), numbers(k.prob_pred)});
      },
      where);
  curves.series.push_back({"as said", {0, 1}, {0, 1}});
  return {"Calibration", curves,
          fmt::format("How often a class is true where its probability is so and so, in {} bins.",
                      n_bins)};
}

report::Section reliability_section(const Tensor& y_true, const Tensor& y_prob, int64_t n_bins,
                                    Where where) {
  const ReliabilityCurve r = reliability_curve(y_true, y_prob, {.n_bins = n_bins}, where);
  const double error = expected_calibration_error(y_true, y_prob, {.n_bins = n_bins}, where);
  return {
      "Reliability",
      report::Curves{.series = {{"guesses", numbers(r.accuracy), numbers(r.confidence)},
                                {"as said", {0, 1}, {0, 1}}},
                     .x = {"probability of the guess", true},
                     .y = {"how often it is right", true}},
      fmt::format("How often the guess is right where it is so sure. On average both are {} apart "
                  "(expected calibration error).",
                  report::shown(error, true))};
}

namespace {

// Colours that are told apart in light and dark.
constexpr uint8_t kColours[][3] = {{66, 133, 244}, {234, 120, 53}, {52, 168, 83},  {171, 71, 188},
                                   {0, 172, 193},  {240, 98, 146}, {158, 157, 36}, {121, 85, 72}};
constexpr size_t kColourCount = std::size(kColours);

}  // namespace

report::Section decision_boundary_section(const Estimator& estimator, const Tensor& x,
                                          const Tensor& y, const std::vector<std::string>& classes,
                                          Where where) {
  const char* op = "decision_boundary_section";
  constexpr int64_t kSide = 240;
  const NoGrad no_grad;
  const Tensor given = cast(check_x(op, x, where), kF64);
  require_sizes(op, given.size(1) == 2, "X has two features", where);
  const ClassTargets targets = check_classes(op, y, given.size(0), where);
  require_sizes(op, targets.classes.size(0) <= static_cast<int64_t>(classes.size()),
                "there are more classes than names", where);
  const auto at = given.to_vector<double>();
  double low[2], size[2];
  for (int f = 0; f < 2; ++f) {
    const Tensor column = index(given, {Slice{}, f});
    const double least = min(column).item(), most = max(column).item();
    const double margin = most > least ? 0.05 * (most - least) : 1;
    low[f] = least - margin;
    size[f] = most - least + 2 * margin;
  }
  std::vector<double> grid;
  for (int64_t i = 0; i < kSide; ++i)
    for (int64_t j = 0; j < kSide; ++j) {
      grid.push_back(low[0] + size[0] * (static_cast<double>(j) + 0.5) / kSide);
      grid.push_back(low[1] + size[1] * (static_cast<double>(kSide - 1 - i) + 0.5) / kSide);
    }
  const Tensor guess = estimator.predict(from_vector(grid, {kSide * kSide, 2}), where);
  const auto names = targets.classes.to_vector<int64_t>();
  const auto place = [&](int64_t c) {
    return static_cast<size_t>(std::lower_bound(names.begin(), names.end(), c) - names.begin());
  };
  std::vector<uint8_t> pixels;
  for (const int64_t c : cast(guess, kI64).to_vector<int64_t>())
    for (const int own : kColours[place(c) % kColourCount])
      pixels.push_back(static_cast<uint8_t>(255 - (255 - own) * 2 / 5));
  // Dots with a border, over what is said of where they are.
  const auto of = targets.codes.to_vector<int64_t>();
  for (int64_t s = 0; s < given.size(0); ++s) {
    const auto column = static_cast<int64_t>((at[2 * s] - low[0]) / size[0] * kSide);
    const auto row = kSide - 1 - static_cast<int64_t>((at[2 * s + 1] - low[1]) / size[1] * kSide);
    for (int64_t i = row - 2; i <= row + 2; ++i)
      for (int64_t j = column - 2; j <= column + 2; ++j) {
        const int64_t off = (i - row) * (i - row) + (j - column) * (j - column);
        if (off > 5 || i < 0 || j < 0 || i >= kSide || j >= kSide) continue;
        for (int c = 0; c < 3; ++c)
          pixels[(i * kSide + j) * 3 + c] =
              off > 2 ? 40 : kColours[static_cast<size_t>(of[s]) % kColourCount][c];
      }
  }
  std::string legend;
  constexpr const char* kNames[] = {"blue", "orange", "green", "purple",
                                    "cyan", "pink",   "olive", "brown"};
  for (size_t c = 0; c < names.size() && c < kColourCount; ++c)
    legend += (legend.empty() ? "" : ", ") + classes[c] + " " + kNames[c];
  return {"Decision boundary",
          report::Images{.groups = {{"",
                                     {{from_vector(pixels, {kSide, kSide, 3}), legend,
                                       std::string(estimator.name())}}}},
                         .width = kSide},
          "Dots are samples; the ground has the colour of what is said there."};
}

// ---- Clusters and components
// ------------------------------------------------------------------------

report::Section elbow_section(const std::vector<int64_t>& n_clusters,
                              const std::vector<double>& inertia, Where where) {
  require_sizes("elbow_section", !n_clusters.empty() && n_clusters.size() == inertia.size(),
                "there is an inertia for each number of clusters", where);
  return {"Elbow",
          report::Curves{.series = {{"inertia", inertia, {n_clusters.begin(), n_clusters.end()}}},
                         .x = {"clusters"},
                         .y = {"inertia"}},
          "Behind the bend more clusters part what belongs together."};
}

report::Section scree_section(const Tensor& explained_variance_ratio, Where where) {
  require_sizes("scree_section",
                explained_variance_ratio.defined() && explained_variance_ratio.rank() == 1 &&
                    explained_variance_ratio.numel() > 0,
                "the shares of variance are (components)", where);
  const std::vector<double> share = numbers(explained_variance_ratio);
  std::vector<double> sum;
  for (const double s : share) sum.push_back(s + (sum.empty() ? 0 : sum.back()));
  return {"Scree", report::Curves{.series = {{"of each component", share}, {"of all so far", sum}},
                                  .x = {"component"},
                                  .y = {"share of the variance", true}}};
}

report::Section dendrogram_section(const Tensor& linkage, int64_t most, Where where) {
  const char* op = "dendrogram_section";
  require_sizes(op, linkage.defined() && linkage.rank() == 2 && linkage.size(1) == 4,
                "a tree is (samples - 1, 4)", where);
  if (most < 2 || most > 150)  // more lines than can be told apart
    throw ValueError(std::string(op) + ": most = " + std::to_string(most), where);
  const std::vector<double> tree = numbers(linkage);
  const int64_t merges = linkage.size(0), samples = merges + 1, leaves = std::min(most, samples);
  const auto child = [&](int64_t merge, int side) {
    const double c = tree[static_cast<size_t>(merge * 4 + side)];
    if (!(c >= 0 && c < static_cast<double>(samples + merge)))
      throw ValueError(
          std::string(op) + ": merge " + std::to_string(merge) + " joins what is not yet", where);
    return static_cast<int64_t>(c);
  };
  // Leaves from left to right: samples, and clusters of merges that are not drawn.
  const int64_t first = samples - leaves;
  std::vector<double> place(static_cast<size_t>(samples + merges), kGap);
  std::vector<double> height(place.size(), 0.0);
  double next = 0;
  std::vector<std::pair<int64_t, bool>> open = {{samples + merges - 1, false}};
  if (merges == 0) open.clear();
  report::Curves::Series lines{"merges", {}, {}};
  while (!open.empty()) {
    const auto [node, both] = open.back();
    open.pop_back();
    const int64_t merge = node - samples;
    if (!std::isnan(place[static_cast<size_t>(node)]))
      throw ValueError(std::string(op) + ": a cluster is joined twice", where);
    if (merge < first) {
      place[static_cast<size_t>(node)] = next++;
      if (merge >= 0) height[static_cast<size_t>(node)] = tree[static_cast<size_t>(merge * 4 + 2)];
      continue;
    }
    const int64_t a = child(merge, 0), b = child(merge, 1);
    if (!both) {
      open.push_back({node, true});
      open.push_back({b, false});
      open.push_back({a, false});
      continue;
    }
    const double h = tree[static_cast<size_t>(merge * 4 + 2)];
    const double left = place[static_cast<size_t>(a)], right = place[static_cast<size_t>(b)];
    place[static_cast<size_t>(node)] = (left + right) / 2;
    height[static_cast<size_t>(node)] = h;
    for (const auto& [x, y] : {std::pair(left, height[static_cast<size_t>(a)]),
                               {left, h},
                               {right, h},
                               {right, height[static_cast<size_t>(b)]},
                               {kGap, kGap}}) {
      lines.x.push_back(x);
      lines.y.push_back(y);
    }
  }
  return {
      "Dendrogram", report::Curves{.series = {lines}, .x = {"samples"}, .y = {"distance"}},
      leaves < samples ? fmt::format("The last {} merges of {} samples.", leaves - 1, samples) : "",
      true};
}

// ---- Samples and options
// ----------------------------------------------------------------------------

report::Section learning_curve_section(const LearningCurve& curve, const std::string& score,
                                       Where where) {
  require_sizes("learning_curve_section",
                curve.train_sizes.defined() && curve.test_scores.defined(), "the curve is empty",
                where);
  const std::vector<double> x = numbers(curve.train_sizes);
  return {
      "Learning curve",
      report::Curves{.series = {with_band("training", curve.train_scores, x),
                                with_band("test", curve.test_scores, x)},
                     .x = {"samples to train on"},
                     .y = {score}},
      "Mean and deviation over the folds. Where the curves have met, more samples will not help."};
}

report::Section validation_curve_section(const std::string& param_name,
                                         const std::vector<double>& param_range,
                                         const ValidationCurve& curve, const std::string& score,
                                         bool log, Where where) {
  require_sizes("validation_curve_section",
                curve.test_scores.defined() &&
                    curve.test_scores.size(0) == static_cast<int64_t>(param_range.size()),
                "there is a row of scores for each value", where);
  std::vector<report::Curves::Series> series;
  if (curve.train_scores.defined())
    series.push_back(with_band("training", curve.train_scores, param_range));
  series.push_back(with_band("test", curve.test_scores, param_range));
  return {"Validation curve",
          report::Curves{.series = std::move(series), .x = {param_name, false, log}, .y = {score}},
          "Mean and deviation over the folds."};
}

}  // namespace glia::classic
