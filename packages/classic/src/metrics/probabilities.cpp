#include <algorithm>
#include <cmath>
#include <limits>

#include "glia/classic/metrics/classification.h"
#include "glia/error.h"
#include "metrics/inputs.h"
#include "nan.h"

namespace glia::classic {
namespace {

// Which class each sample has, among `classes`, and the scores.
struct Scored {
  std::vector<int64_t> classes;
  std::vector<size_t> codes;
  Grid score;
  std::vector<double> weight;

  Scored(const char* op, const Tensor& y_true, const Tensor& y_score, const LossOptions& options,
         const char* what, Where where)
      : score(grid_of(op, y_score, what, where)) {
    const Grid truth = grid_of(op, y_true, "y_true", where);
    require_rows(op, truth, score, where);
    const std::vector<int64_t> labels = labels_of(op, truth, "y_true", where);
    classes = options.labels.empty() ? distinct(labels) : options.labels;
    if (classes != distinct(classes))
      throw ValueError(std::string(op) + ": labels are different and ascend", where);
    for (const int64_t label : labels) {
      const int64_t at = position(classes, label);
      if (at < 0)
        throw ValueError(
            std::string(op) + ": class " + std::to_string(label) + " of y_true is none of labels",
            where);
      codes.push_back(static_cast<size_t>(at));
    }
    weight = weights_of(op, options.sample_weight, truth.rows, where);
  }

  [[noreturn]] void bad_columns(const char* op, Where where) const {
    throw ShapeError(std::string(op) + ": " + std::to_string(classes.size()) + " classes and " +
                         std::to_string(score.columns) + " columns",
                     where);
  }
};

// Probabilities (N, classes).
struct Probabilities : Scored {
  Probabilities(const char* op, const Tensor& y_true, const Tensor& y_proba,
                const LossOptions& options, Where where)
      : Scored(op, y_true, y_proba, options, "y_proba", where) {
    for (const double p : score.values)
      if (p < 0 || p > 1)
        throw ValueError(std::string(op) + ": y_proba contains " + std::to_string(p), where);
    if (classes.size() < 2)
      throw ValueError(std::string(op) + ": y_true has one class only; give labels", where);
    if (score.columns == 1) {
      std::vector<double> both;
      for (const double p : score.values) {
        both.push_back(1 - p);
        both.push_back(p);
      }
      score.values = std::move(both);
      score.columns = 2;
    }
    if (static_cast<int64_t>(classes.size()) != score.columns) bad_columns(op, where);
  }

  // How often each class is.
  std::vector<double> shares() const {
    std::vector<double> out(classes.size());
    double total = 0;
    for (size_t i = 0; i < codes.size(); ++i) {
      out[codes[i]] += weight[i];
      total += weight[i];
    }
    for (double& share : out) share /= total;
    return out;
  }

  // The sum of the samples' losses, and of their weights.
  template <class F>
  double sum(F&& loss) const {
    double out = 0;
    for (size_t i = 0; i < codes.size(); ++i)
      out += weight[i] * loss(score.values.data() + i * classes.size(), codes[i]);
    return out;
  }
  double total() const {
    double out = 0;
    for (const double w : weight) out += w;
    return out;
  }

  double brier(const double* p, size_t code) const {
    double out = 0;
    for (size_t c = 0; c < classes.size(); ++c) {
      const double error = (c == code) - p[c];
      out += error * error;
    }
    return out;
  }
};

double log_of(double p, double eps) { return -std::log(std::clamp(p, eps, 1 - eps)); }

double eps_of(const Tensor& y_proba) {
  return y_proba.dtype() == kF64 ? std::numeric_limits<double>::epsilon()
                                 : std::numeric_limits<float>::epsilon();
}

}  // namespace

double log_loss(const Tensor& y_true, const Tensor& y_proba, const LossOptions& options,
                Where where) {
  const Probabilities y("log_loss", y_true, y_proba, options, where);
  const double eps = eps_of(y_proba);
  const double sum = y.sum([&](const double* p, size_t c) { return log_of(p[c], eps); });
  return options.normalize ? sum / y.total() : sum;
}

double brier_score_loss(const Tensor& y_true, const Tensor& y_proba, const LossOptions& options,
                        Where where) {
  const Probabilities y("brier_score_loss", y_true, y_proba, options, where);
  const double sum = y.sum([&](const double* p, size_t c) { return y.brier(p, c); });
  return sum / y.total() * (y.classes.size() == 2 ? 0.5 : 1);
}

double d2_log_loss_score(const Tensor& y_true, const Tensor& y_proba, const LossOptions& options,
                         Where where) {
  const Probabilities y("d2_log_loss_score", y_true, y_proba, options, where);
  if (y.codes.size() < 2) return kNaN;
  const double eps = eps_of(y_proba);
  const std::vector<double> shares = y.shares();
  return 1 - y.sum([&](const double* p, size_t c) { return log_of(p[c], eps); }) /
                 y.sum([&](const double*, size_t c) { return log_of(shares[c], eps); });
}

double d2_brier_score(const Tensor& y_true, const Tensor& y_proba, const LossOptions& options,
                      Where where) {
  const Probabilities y("d2_brier_score", y_true, y_proba, options, where);
  if (y.codes.size() < 2) return kNaN;
  const std::vector<double> shares = y.shares();
  return 1 - y.sum([&](const double* p, size_t c) { return y.brier(p, c); }) /
                 y.sum([&](const double*, size_t c) { return y.brier(shares.data(), c); });
}

double hinge_loss(const Tensor& y_true, const Tensor& pred_decision, const LossOptions& options,
                  Where where) {
  const char* op = "hinge_loss";
  const Scored y(op, y_true, pred_decision, options, "pred_decision", where);
  const bool many = y.classes.size() > 2;
  if (many ? static_cast<int64_t>(y.classes.size()) != y.score.columns : y.score.columns != 1)
    y.bad_columns(op, where);
  std::vector<double> losses;
  for (size_t i = 0; i < y.codes.size(); ++i) {
    const double* row = y.score.values.data() + i * static_cast<size_t>(y.score.columns);
    double margin = y.codes[i] == 1 ? row[0] : -row[0];
    if (many) {
      double other = -std::numeric_limits<double>::infinity();
      for (size_t c = 0; c < y.classes.size(); ++c)
        if (c != y.codes[i]) other = std::max(other, row[c]);
      margin = row[y.codes[i]] - other;
    }
    losses.push_back(std::max(0.0, 1 - margin));
  }
  return weighted_mean(losses, y.weight);
}

double top_k_accuracy_score(const Tensor& y_true, const Tensor& y_score, int64_t k,
                            const LossOptions& options, Where where) {
  const char* op = "top_k_accuracy_score";
  if (k < 1) throw ValueError(std::string(op) + ": k = " + std::to_string(k), where);
  const Scored y(op, y_true, y_score, options, "y_score", where);
  const bool many = y.classes.size() > 2;
  if (many ? static_cast<int64_t>(y.classes.size()) != y.score.columns : y.score.columns != 1)
    y.bad_columns(op, where);
  const auto [low, high] = std::ranges::minmax(y.score.values);
  const double threshold = low >= 0 && high <= 1 ? 0.5 : 0;
  std::vector<double> hits;
  for (size_t i = 0; i < y.codes.size(); ++i) {
    const double* row = y.score.values.data() + i * static_cast<size_t>(y.score.columns);
    int64_t above = 0;
    if (many) {
      for (size_t c = 0; c < y.classes.size(); ++c)
        above += row[c] > row[y.codes[i]] || (row[c] == row[y.codes[i]] && c > y.codes[i]);
    } else {
      above = (row[0] > threshold) != (y.codes[i] == 1);
    }
    hits.push_back(above < k);
  }
  if (options.normalize) return weighted_mean(hits, y.weight);
  double sum = 0;
  for (size_t i = 0; i < hits.size(); ++i) sum += hits[i] * y.weight[i];
  return sum;
}

}  // namespace glia::classic
