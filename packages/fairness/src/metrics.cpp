#include "glia/fairness/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "glia/op.h"
#include "glia/ops.h"
#include "groups.h"

namespace glia::fairness {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// The weighted share of samples of class `of` (-1: any) for which the prediction is `is`.
double rate(const char* op, const Tensor& y_true, const Tensor& y_pred, const Tensor& weight,
            int64_t of, int64_t is) {
  const Where where = Where::current();
  const int64_t n = y_pred.shape().rank() > 0 ? y_pred.size(0) : 0;
  const auto guess = zeros_and_ones(op, "y_pred", y_pred, n, where);
  const auto truth = of < 0 ? guess : zeros_and_ones(op, "y_true", y_true, n, where);
  const auto w = weight.defined() ? weight.to_vector<double>()
                                  : std::vector<double>(static_cast<size_t>(n), 1);
  double all = 0, yes = 0;
  for (size_t i = 0; i < guess.size(); ++i) {
    if (of >= 0 && truth[i] != of) continue;
    all += w.at(i);
    if (guess[i] == is) yes += w.at(i);
  }
  return all > 0 ? yes / all : kNone;
}

double mean_of(const Tensor& values, const Tensor& weight) {
  if (values.numel() == 0) return kNone;
  const Tensor v = cast(values, kF64);
  if (!weight.defined()) return mean(v).item();
  const Tensor w = cast(weight, kF64);
  return (sum(v * w) / sum(w)).item();
}

double least(const std::vector<double>& values) {
  double out = kNone;
  for (double v : values)
    if (!std::isnan(v)) out = std::isnan(out) ? v : std::min(out, v);
  return out;
}
double most(const std::vector<double>& values) {
  double out = kNone;
  for (double v : values)
    if (!std::isnan(v)) out = std::isnan(out) ? v : std::max(out, v);
  return out;
}

double spread(const std::vector<double>& groups, double overall, Between method) {
  if (method == Between::kGroups) return most(groups) - least(groups);
  std::vector<double> off;
  for (double v : groups) off.push_back(std::abs(v - overall));
  return most(off);
}

double proportion(const std::vector<double>& groups, double overall, Between method) {
  if (method == Between::kGroups) return least(groups) / most(groups);
  std::vector<double> parts;
  for (double v : groups) {
    const double r = v / overall;
    parts.push_back(r > 1 ? 1 / r : r);
  }
  return least(parts);
}

}  // namespace

double selection_rate(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight) {
  return rate("selection_rate", y_true, y_pred, sample_weight, -1, 1);
}
double true_positive_rate(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight) {
  return rate("true_positive_rate", y_true, y_pred, sample_weight, 1, 1);
}
double false_positive_rate(const Tensor& y_true, const Tensor& y_pred,
                           const Tensor& sample_weight) {
  return rate("false_positive_rate", y_true, y_pred, sample_weight, 0, 1);
}
double true_negative_rate(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight) {
  return rate("true_negative_rate", y_true, y_pred, sample_weight, 0, 0);
}
double false_negative_rate(const Tensor& y_true, const Tensor& y_pred,
                           const Tensor& sample_weight) {
  return rate("false_negative_rate", y_true, y_pred, sample_weight, 1, 0);
}
double accuracy(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight) {
  return mean_of(cast(y_true == y_pred, kF64), sample_weight);
}
double mean_prediction(const Tensor&, const Tensor& y_pred, const Tensor& sample_weight) {
  return mean_of(y_pred, sample_weight);
}
double base_rate(const Tensor& y_true, const Tensor&, const Tensor& sample_weight) {
  return mean_of(y_true, sample_weight);
}
double count(const Tensor& y_true, const Tensor&, const Tensor&) {
  return static_cast<double>(y_true.numel());
}

double calibration_error(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight) {
  constexpr size_t kBins = 10;
  const auto truth = y_true.to_vector<double>(), said = y_pred.to_vector<double>();
  if (truth.size() != said.size())
    throw ShapeError("calibration_error: y_true " + y_true.shape().str() + " and y_pred " +
                     y_pred.shape().str());
  const auto w = sample_weight.defined() ? sample_weight.to_vector<double>()
                                         : std::vector<double>(truth.size(), 1);
  double weight[kBins] = {}, gap[kBins] = {}, all = 0, error = 0;
  for (size_t i = 0; i < said.size(); ++i) {
    if (!(said[i] >= 0 && said[i] <= 1))
      throw ValueError("calibration_error: y_pred has " + std::to_string(said[i]) +
                       ", which is no probability");
    const size_t bin = std::min(static_cast<size_t>(said[i] * kBins), kBins - 1);
    weight[bin] += w.at(i);
    gap[bin] += w.at(i) * (truth[i] - said[i]);
    all += w.at(i);
  }
  for (double g : gap) error += std::abs(g);
  return all > 0 ? error / all : kNone;
}

MetricFrame::MetricFrame(std::vector<std::pair<std::string, Metric>> metrics, const Tensor& y_true,
                         const Tensor& y_pred, const Tensor& sensitive_features,
                         const MetricFrameOptions& options, Where where) {
  constexpr const char* kOp = "MetricFrame";
  require_defined(kOp, y_true, where);
  require_defined(kOp, y_pred, where);
  if (y_true.rank() == 0 || y_pred.rank() == 0 || y_true.size(0) != y_pred.size(0) ||
      y_true.size(0) == 0)
    fail(kOp, "y_true " + y_true.shape().str() + " and y_pred " + y_pred.shape().str(), where);
  const int64_t n = y_true.size(0);
  if (options.sample_weight.defined() && options.sample_weight.shape() != Shape{n})
    fail(kOp,
         "sample_weight " + options.sample_weight.shape().str() + " of " + std::to_string(n) +
             " samples",
         where);
  const Grouped groups = grouped(kOp, sensitive_features, n, false, where);
  controlled_ = options.control_features.defined();
  const Grouped controls = controlled_
                               ? grouped(kOp, options.control_features, n, false, where)
                               : Grouped{{{}}, std::vector<int64_t>(static_cast<size_t>(n), 0)};
  groups_ = groups.combinations;
  controls_ = controls.combinations;
  std::vector<std::vector<int64_t>> cells(groups_.size() * controls_.size());
  for (size_t i = 0; i < groups.of.size(); ++i)
    cells[static_cast<size_t>(controls.of[i]) * groups_.size() + static_cast<size_t>(groups.of[i])]
        .push_back(static_cast<int64_t>(i));
  const auto strata = members(controls);
  for (const auto& [name, metric] : metrics) {
    if (std::ranges::count(names_, name) > 0)
      throw ValueError(std::string(kOp) + ": two metrics are called " + name, where);
    names_.push_back(name);
    const auto value = [&, &metric = metric](const std::vector<int64_t>& rows) {
      if (rows.empty()) return kNone;
      const Tensor at = positions(rows);
      return metric(take(y_true, at), take(y_pred, at),
                    options.sample_weight.defined() ? take(options.sample_weight, at) : Tensor());
    };
    by_group_.emplace_back();
    for (const auto& rows : cells) by_group_.back().push_back(value(rows));
    overall_.emplace_back();
    for (const auto& rows : strata) overall_.back().push_back(value(rows));
  }
}

size_t MetricFrame::place_of(const std::string& metric, Where where) const {
  const auto at = std::ranges::find(names_, metric);
  if (at == names_.end()) throw ValueError("MetricFrame: there is no metric " + metric, where);
  return static_cast<size_t>(at - names_.begin());
}

Tensor MetricFrame::by_group(const std::string& metric, Where where) const {
  const auto groups = static_cast<int64_t>(groups_.size());
  const auto& values = by_group_[place_of(metric, where)];
  return controlled_ ? from_vector(values, {static_cast<int64_t>(controls_.size()), groups})
                     : from_vector(values, {groups});
}

Tensor MetricFrame::reduced(const std::string& metric, const Reduce& reduce, Where where) const {
  const size_t m = place_of(metric, where), width = groups_.size();
  std::vector<double> out;
  for (size_t c = 0; c < controls_.size(); ++c) {
    const auto begin = by_group_[m].begin() + static_cast<std::ptrdiff_t>(c * width);
    out.push_back(reduce({begin, begin + static_cast<std::ptrdiff_t>(width)}, overall_[m][c]));
  }
  return controlled_ ? from_vector(out, {static_cast<int64_t>(out.size())}) : tensor(out[0]);
}

Tensor MetricFrame::overall(const std::string& metric, Where where) const {
  return reduced(
      metric, [](const auto&, double all) { return all; }, where);
}
Tensor MetricFrame::group_min(const std::string& metric, Where where) const {
  return reduced(
      metric, [](const auto& groups, double) { return least(groups); }, where);
}
Tensor MetricFrame::group_max(const std::string& metric, Where where) const {
  return reduced(
      metric, [](const auto& groups, double) { return most(groups); }, where);
}
Tensor MetricFrame::difference(const std::string& metric, Between method, Where where) const {
  return reduced(
      metric, [=](const auto& groups, double all) { return spread(groups, all, method); }, where);
}
Tensor MetricFrame::ratio(const std::string& metric, Between method, Where where) const {
  return reduced(
      metric, [=](const auto& groups, double all) { return proportion(groups, all, method); },
      where);
}

namespace {

MetricFrame rates(const std::vector<std::pair<std::string, Metric>>& metrics, const Tensor& y_true,
                  const Tensor& y_pred, const Tensor& sensitive_features,
                  const FairnessOptions& options, Where where) {
  return {metrics, y_true, y_pred, sensitive_features, {.sample_weight = options.sample_weight},
          where};
}
const std::vector<std::pair<std::string, Metric>> kSelection{{"selected", selection_rate}};
const std::vector<std::pair<std::string, Metric>> kOdds{{"tpr", true_positive_rate},
                                                        {"fpr", false_positive_rate}};

}  // namespace

double demographic_parity_difference(const Tensor& y_true, const Tensor& y_pred,
                                     const Tensor& sensitive_features,
                                     const FairnessOptions& options, Where where) {
  return rates(kSelection, y_true, y_pred, sensitive_features, options, where)
      .difference("selected", options.method)
      .item();
}
double demographic_parity_ratio(const Tensor& y_true, const Tensor& y_pred,
                                const Tensor& sensitive_features, const FairnessOptions& options,
                                Where where) {
  return rates(kSelection, y_true, y_pred, sensitive_features, options, where)
      .ratio("selected", options.method)
      .item();
}
double equalized_odds_difference(const Tensor& y_true, const Tensor& y_pred,
                                 const Tensor& sensitive_features, const FairnessOptions& options,
                                 Where where) {
  const auto frame = rates(kOdds, y_true, y_pred, sensitive_features, options, where);
  return most({frame.difference("tpr", options.method).item(),
               frame.difference("fpr", options.method).item()});
}
double equalized_odds_ratio(const Tensor& y_true, const Tensor& y_pred,
                            const Tensor& sensitive_features, const FairnessOptions& options,
                            Where where) {
  const auto frame = rates(kOdds, y_true, y_pred, sensitive_features, options, where);
  return least(
      {frame.ratio("tpr", options.method).item(), frame.ratio("fpr", options.method).item()});
}
double equal_opportunity_difference(const Tensor& y_true, const Tensor& y_pred,
                                    const Tensor& sensitive_features,
                                    const FairnessOptions& options, Where where) {
  return rates(kOdds, y_true, y_pred, sensitive_features, options, where)
      .difference("tpr", options.method)
      .item();
}
double equal_opportunity_ratio(const Tensor& y_true, const Tensor& y_pred,
                               const Tensor& sensitive_features, const FairnessOptions& options,
                               Where where) {
  return rates(kOdds, y_true, y_pred, sensitive_features, options, where)
      .ratio("tpr", options.method)
      .item();
}

}  // namespace glia::fairness
