#include "glia/classic/metrics/curves.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "glia/error.h"
#include "glia/ops.h"
#include "metrics/inputs.h"
#include "nan.h"

namespace glia::classic {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Numbers = std::vector<double>;

// What is said to be positive at each of the different thresholds, from the highest down.
struct Steps {
  Numbers fps, tps, thresholds;

  void keep(const std::vector<bool>& which) {
    for (Numbers* v : {&fps, &tps, &thresholds}) {
      size_t to = 0;
      for (size_t i = 0; i < v->size(); ++i)
        if (which[i]) (*v)[to++] = (*v)[i];
      v->resize(to);
    }
  }
};

Steps counts(const std::vector<bool>& positive, const Numbers& score, const Numbers& weight) {
  std::vector<size_t> order;
  for (size_t i = 0; i < score.size(); ++i)
    if (weight[i] != 0) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return score[a] > score[b]; });
  Steps c;
  double tps = 0, fps = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const size_t at = order[i];
    (positive[at] ? tps : fps) += weight[at];
    if (i + 1 < order.size() && score[order[i + 1]] == score[at]) continue;
    c.fps.push_back(fps);
    c.tps.push_back(tps);
    c.thresholds.push_back(score[at]);
  }
  return c;
}

// Where neither step beside a point changes the curve's course: of `v` alone, if there is one.
std::vector<bool> corners(const Steps& c, bool tps_alone) {
  std::vector<bool> out(c.tps.size(), true);
  for (size_t i = 1; i + 1 < out.size(); ++i) {
    const auto second = [&](const Numbers& v) { return v[i + 1] - 2 * v[i] + v[i - 1] != 0; };
    out[i] = tps_alone ? c.tps[i] != c.tps[i - 1] || c.tps[i + 1] != c.tps[i]
                       : second(c.fps) || second(c.tps);
  }
  return out;
}

struct Samples {
  std::vector<int64_t> classes;
  std::vector<bool> positive;
  Numbers score, weight;
};

Samples samples_of(const char* op, const Tensor& y_true, const Tensor& y_score,
                   const std::optional<int64_t>& pos_label, const Tensor& sample_weight,
                   Where where) {
  const Grid truth = grid_of(op, y_true, "y_true", where);
  const Grid score = grid_of(op, y_score, "y_score", where);
  require_rows(op, truth, score, where);
  if (score.columns != 1)
    throw ShapeError(std::string(op) + ": y_score is (N) of two classes", where);
  const std::vector<int64_t> labels = labels_of(op, truth, "y_true", where);
  Samples s;
  s.classes = distinct(labels);
  if (s.classes.size() > 2 && !pos_label)
    throw ValueError(std::string(op) + ": there are " + std::to_string(s.classes.size()) +
                         " classes; pos_label must say which is the positive one",
                     where);
  // Of one class, as scikit-learn: 1 is positive, and 0 and -1 are not.
  int64_t greater = s.classes.back();
  if (s.classes.size() == 1 && (greater == 0 || greater == -1)) greater = 1;
  for (const int64_t label : labels) s.positive.push_back(label == pos_label.value_or(greater));
  s.score = score.values;
  s.weight = weights_of(op, sample_weight, truth.rows, where);
  return s;
}

struct Roc {
  Numbers fpr, tpr, thresholds;
};

Roc roc(Steps c, bool drop) {
  if (drop && c.fps.size() > 2) c.keep(corners(c, false));
  Roc r{{0}, {0}, {kInfinity}};
  const double negatives = c.fps.back(), positives = c.tps.back();
  if (negatives <= 0) r.fpr[0] = kNaN;
  if (positives <= 0) r.tpr[0] = kNaN;
  for (size_t i = 0; i < c.fps.size(); ++i) {
    r.fpr.push_back(negatives > 0 ? c.fps[i] / negatives : kNaN);
    r.tpr.push_back(positives > 0 ? c.tps[i] / positives : kNaN);
    r.thresholds.push_back(c.thresholds[i]);
  }
  return r;
}

double area(const Numbers& x, const Numbers& y) {
  double sum = 0;
  for (size_t i = 1; i < x.size(); ++i) sum += (x[i] - x[i - 1]) * (y[i] + y[i - 1]) / 2;
  return sum;
}

double roc_area(const std::vector<bool>& positive, const Numbers& score, const Numbers& weight,
                const std::optional<double>& max_fpr) {
  if (std::ranges::find(positive, true) == positive.end() ||
      std::ranges::find(positive, false) == positive.end())
    return kNaN;
  Roc r = roc(counts(positive, score, weight), true);
  if (!max_fpr || *max_fpr == 1) return area(r.fpr, r.tpr);
  const double most = *max_fpr;
  const auto stop =
      static_cast<size_t>(std::upper_bound(r.fpr.begin(), r.fpr.end(), most) - r.fpr.begin());
  const double slope = (r.tpr[stop] - r.tpr[stop - 1]) / (r.fpr[stop] - r.fpr[stop - 1]);
  const double last = slope * (most - r.fpr[stop - 1]) + r.tpr[stop - 1];
  r.fpr.resize(stop);
  r.tpr.resize(stop);
  r.fpr.push_back(most);
  r.tpr.push_back(last);
  const double least = 0.5 * most * most;  // McClish 1989
  return 0.5 * (1 + (area(r.fpr, r.tpr) - least) / (most - least));
}

double precision_area(const std::vector<bool>& positive, const Numbers& score,
                      const Numbers& weight) {
  const Steps c = counts(positive, score, weight);
  const double all = c.tps.back();
  double sum = 0, before = 0;
  for (size_t i = 0; i < c.tps.size(); ++i) {
    const double recall = all == 0 ? 1 : c.tps[i] / all, said = c.tps[i] + c.fps[i];
    sum += (recall - before) * (said == 0 ? 0 : c.tps[i] / said);
    before = recall;
  }
  return std::max(0.0, sum);
}

// Of each column, or of all at once.
template <class F>
double over_columns(const std::vector<std::vector<bool>>& truth, const Grid& score,
                    const Numbers& weight, AreaAverage average, F&& f) {
  const auto n = static_cast<size_t>(score.rows);
  if (average == AreaAverage::kMicro) {
    std::vector<bool> all;
    Numbers repeated;
    for (size_t i = 0; i < n; ++i)
      for (const auto& column : truth) {
        all.push_back(column[i]);
        repeated.push_back(weight[i]);
      }
    return f(all, score.values, repeated);
  }
  double sum = 0, total = 0;
  for (size_t c = 0; c < truth.size(); ++c) {
    Numbers of_class;
    double support = 0;
    for (size_t i = 0; i < n; ++i) {
      of_class.push_back(score.at(static_cast<int64_t>(i), static_cast<int64_t>(c)));
      if (truth[c][i]) support += weight[i];
    }
    const double w = average == AreaAverage::kWeighted ? support : 1;
    if (w == 0) continue;
    sum += w * f(truth[c], of_class, weight);
    total += w;
  }
  return total == 0 ? 0 : sum / total;
}

// Of each class, or label, who is of it.
std::vector<std::vector<bool>> indicators(const char* op, const Grid& truth, Where where) {
  std::vector<std::vector<bool>> out;
  if (truth.columns > 1) {
    require_flags(op, truth, "y_true", where);
    for (int64_t c = 0; c < truth.columns; ++c) {
      out.emplace_back();
      for (int64_t i = 0; i < truth.rows; ++i) out.back().push_back(truth.at(i, c) > 0);
    }
    return out;
  }
  const std::vector<int64_t> labels = labels_of(op, truth, "y_true", where);
  for (const int64_t one : distinct(labels)) {
    out.emplace_back();
    for (const int64_t label : labels) out.back().push_back(label == one);
  }
  return out;
}

void require_columns(const char* op, const std::vector<std::vector<bool>>& truth, const Grid& score,
                     Where where) {
  if (static_cast<int64_t>(truth.size()) != score.columns)
    throw ShapeError(std::string(op) + ": y_true has " + std::to_string(truth.size()) +
                         " classes, y_score " + std::to_string(score.columns) + " columns",
                     where);
}

// Of each pair of classes (Hand, Till 2001).
double one_vs_one(const std::vector<std::vector<bool>>& truth, const Grid& score,
                  AreaAverage average) {
  double sum = 0, total = 0;
  for (size_t a = 0; a < truth.size(); ++a)
    for (size_t b = a + 1; b < truth.size(); ++b) {
      std::vector<bool> is_a, is_b;
      Numbers of_a, of_b;
      for (int64_t i = 0; i < score.rows; ++i) {
        const auto at = static_cast<size_t>(i);
        if (!truth[a][at] && !truth[b][at]) continue;
        is_a.push_back(truth[a][at]);
        is_b.push_back(truth[b][at]);
        of_a.push_back(score.at(i, static_cast<int64_t>(a)));
        of_b.push_back(score.at(i, static_cast<int64_t>(b)));
      }
      const Numbers ones(is_a.size(), 1);
      const double w = average == AreaAverage::kWeighted ? static_cast<double>(is_a.size()) : 1;
      sum += w * (roc_area(is_a, of_a, ones, {}) + roc_area(is_b, of_b, ones, {})) / 2;
      total += w;
    }
  return sum / total;
}

}  // namespace

RocCurve roc_curve(const Tensor& y_true, const Tensor& y_score, const CurveOptions& options,
                   Where where) {
  const Samples s =
      samples_of("roc_curve", y_true, y_score, options.pos_label, options.sample_weight, where);
  const Roc r =
      roc(counts(s.positive, s.score, s.weight), options.drop_intermediate.value_or(true));
  return {to_tensor(r.fpr), to_tensor(r.tpr), to_tensor(r.thresholds)};
}

PrecisionRecallCurve precision_recall_curve(const Tensor& y_true, const Tensor& y_score,
                                            const CurveOptions& options, Where where) {
  const Samples s = samples_of("precision_recall_curve", y_true, y_score, options.pos_label,
                               options.sample_weight, where);
  Steps c = counts(s.positive, s.score, s.weight);
  if (options.drop_intermediate.value_or(false) && c.fps.size() > 2) c.keep(corners(c, true));
  Numbers precision, recall;
  for (size_t i = c.tps.size(); i-- > 0;) {
    const double said = c.tps[i] + c.fps[i];
    precision.push_back(said != 0 ? c.tps[i] / said : 0);
    recall.push_back(c.tps.back() == 0 ? 1 : c.tps[i] / c.tps.back());
  }
  precision.push_back(1);
  recall.push_back(0);
  std::reverse(c.thresholds.begin(), c.thresholds.end());
  return {to_tensor(precision), to_tensor(recall), to_tensor(c.thresholds)};
}

DetCurve det_curve(const Tensor& y_true, const Tensor& y_score, const CurveOptions& options,
                   Where where) {
  const Samples s =
      samples_of("det_curve", y_true, y_score, options.pos_label, options.sample_weight, where);
  if (s.classes.size() != 2)
    throw ValueError("det_curve: there are not two classes in y_true", where);
  Steps c = counts(s.positive, s.score, s.weight);
  c.fps.insert(c.fps.begin(), 0);
  c.tps.insert(c.tps.begin(), 0);
  c.thresholds.insert(c.thresholds.begin(), kInfinity);
  if (options.drop_intermediate.value_or(false) && c.fps.size() > 2) c.keep(corners(c, true));
  // From the last point without a false positive to the first without a false negative.
  const auto first = std::upper_bound(c.fps.begin(), c.fps.end(), c.fps[0]) - c.fps.begin() - 1;
  const auto last = std::lower_bound(c.tps.begin(), c.tps.end(), c.tps.back()) - c.tps.begin();
  Numbers fpr, fnr, thresholds;
  for (auto i = last; i >= first; --i) {
    const auto at = static_cast<size_t>(i);
    fpr.push_back(c.fps[at] / c.fps.back());
    fnr.push_back((c.tps.back() - c.tps[at]) / c.tps.back());
    thresholds.push_back(c.thresholds[at]);
  }
  return {to_tensor(fpr), to_tensor(fnr), to_tensor(thresholds)};
}

CalibrationCurve calibration_curve(const Tensor& y_true, const Tensor& y_prob, int64_t n_bins,
                                   CalibrationStrategy strategy, std::optional<int64_t> pos_label,
                                   Where where) {
  const char* op = "calibration_curve";
  if (n_bins < 1) throw ValueError(std::string(op) + ": n_bins = " + std::to_string(n_bins), where);
  const Samples s = samples_of(op, y_true, y_prob, pos_label, {}, where);
  for (const double p : s.score)
    if (p < 0 || p > 1)
      throw ValueError(std::string(op) + ": y_prob contains " + std::to_string(p), where);
  Numbers sorted = s.score, edges;
  std::sort(sorted.begin(), sorted.end());
  for (int64_t i = 1; i < n_bins; ++i) {
    const double q = static_cast<double>(i) / static_cast<double>(n_bins);
    const double at = q * static_cast<double>(sorted.size() - 1);
    const auto low = static_cast<size_t>(at);
    const size_t high = std::min(low + 1, sorted.size() - 1);
    edges.push_back(strategy == CalibrationStrategy::kUniform
                        ? q
                        : sorted[low] +
                              (at - static_cast<double>(low)) * (sorted[high] - sorted[low]));
  }
  const auto bins = static_cast<size_t>(n_bins);
  Numbers truth(bins), prob(bins);
  std::vector<int64_t> count(bins);
  for (size_t i = 0; i < s.score.size(); ++i) {
    const auto b = static_cast<size_t>(std::lower_bound(edges.begin(), edges.end(), s.score[i]) -
                                       edges.begin());
    truth[b] += s.positive[i];
    prob[b] += s.score[i];
    ++count[b];
  }
  Numbers prob_true, prob_pred;
  std::vector<int64_t> counts;
  for (size_t b = 0; b < bins; ++b) {
    if (count[b] == 0) continue;
    prob_true.push_back(truth[b] / static_cast<double>(count[b]));
    prob_pred.push_back(prob[b] / static_cast<double>(count[b]));
    counts.push_back(count[b]);
  }
  const auto used = static_cast<int64_t>(counts.size());
  return {to_tensor(prob_true), to_tensor(prob_pred), from_vector(counts, {used})};
}

double auc(const Tensor& x, const Tensor& y, Where where) {
  const Grid a = grid_of("auc", x, "x", where), b = grid_of("auc", y, "y", where);
  require_same_shape("auc", a, b, where);
  if (a.columns != 1 || a.rows < 2)
    throw ShapeError("auc: x and y are (N) with at least two points", where);
  if (std::ranges::is_sorted(a.values)) return area(a.values, b.values);
  if (std::ranges::is_sorted(a.values, std::greater<>())) return -area(a.values, b.values);
  throw ValueError("auc: x goes neither up nor down", where);
}

double roc_auc_score(const Tensor& y_true, const Tensor& y_score, const AreaOptions& options,
                     Where where) {
  const char* op = "roc_auc_score";
  if (options.max_fpr && !(*options.max_fpr > 0 && *options.max_fpr <= 1))
    throw ValueError(
        std::string(op) + ": max_fpr = " + std::to_string(*options.max_fpr) + " is not in (0, 1]",
        where);
  const Grid truth = grid_of(op, y_true, "y_true", where);
  const Grid score = grid_of(op, y_score, "y_score", where);
  require_rows(op, truth, score, where);
  const Numbers weight = weights_of(op, options.sample_weight, truth.rows, where);
  const auto f = [&](const std::vector<bool>& positive, const Numbers& s, const Numbers& w) {
    return roc_area(positive, s, w, options.max_fpr);
  };
  const std::vector<std::vector<bool>> classes = indicators(op, truth, where);
  if (truth.columns == 1 && score.columns == 1) {
    if (classes.size() > 2)
      throw ShapeError(std::string(op) + ": y_score is (N, classes) of " +
                           std::to_string(classes.size()) + " classes",
                       where);
    return f(classes.back(), score.values, weight);
  }
  require_columns(op, classes, score, where);
  if (truth.columns > 1) return over_columns(classes, score, weight, options.average, f);
  if (options.max_fpr && *options.max_fpr != 1)
    throw ValueError(std::string(op) + ": max_fpr is for two classes", where);
  for (int64_t i = 0; i < score.rows; ++i) {
    double sum = 0;
    for (int64_t c = 0; c < score.columns; ++c) sum += score.at(i, c);
    if (std::abs(sum - 1) > 1e-5)
      throw ValueError(std::string(op) + ": the scores of sample " + std::to_string(i) +
                           " add up to " + std::to_string(sum) + "; probabilities to 1",
                       where);
  }
  if (options.multi_class == AreaMultiClass::kOneVsRest)
    return over_columns(classes, score, weight, options.average, f);
  if (options.average == AreaAverage::kMicro || options.sample_weight.defined())
    throw ValueError(std::string(op) + ": one vs one has neither a micro average nor weights",
                     where);
  return one_vs_one(classes, score, options.average);
}

double average_precision_score(const Tensor& y_true, const Tensor& y_score,
                               const AreaOptions& options, int64_t pos_label, Where where) {
  const char* op = "average_precision_score";
  const Grid truth = grid_of(op, y_true, "y_true", where);
  const Grid score = grid_of(op, y_score, "y_score", where);
  require_rows(op, truth, score, where);
  const Numbers weight = weights_of(op, options.sample_weight, truth.rows, where);
  if (truth.columns == 1 && score.columns == 1) {
    const std::vector<int64_t> labels = labels_of(op, truth, "y_true", where);
    const std::vector<int64_t> present = distinct(labels);
    if (present.size() > 2)
      throw ShapeError(std::string(op) + ": y_score is (N, classes) of " +
                           std::to_string(present.size()) + " classes",
                       where);
    if (present.size() == 2 && position(present, pos_label) < 0)
      throw ValueError(std::string(op) + ": pos_label = " + std::to_string(pos_label) +
                           " is none of the classes",
                       where);
    std::vector<bool> positive;
    for (const int64_t label : labels) positive.push_back(label == pos_label);
    return precision_area(positive, score.values, weight);
  }
  const std::vector<std::vector<bool>> classes = indicators(op, truth, where);
  require_columns(op, classes, score, where);
  return over_columns(classes, score, weight, options.average, precision_area);
}

}  // namespace glia::classic
