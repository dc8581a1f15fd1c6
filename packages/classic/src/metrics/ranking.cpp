#include "glia/classic/metrics/ranking.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "glia/error.h"
#include "metrics/inputs.h"

namespace glia::classic {
namespace {

using Row = std::span<const double>;

Row row_of(const Grid& g, int64_t i) {
  return {g.values.data() + i * g.columns, static_cast<size_t>(g.columns)};
}

// Items from the highest score down.
std::vector<size_t> order_of(Row score) {
  std::vector<size_t> order(score.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return score[a] > score[b]; });
  return order;
}

// Items of one score share the mean of their gains (McSherry, Najork 2008).
double gain(Row truth, Row score, const std::vector<double>& discount, bool ignore_ties) {
  const std::vector<size_t> order = order_of(score);
  double sum = 0;
  for (size_t i = 0; i < order.size();) {
    size_t end = i + 1;
    while (!ignore_ties && end < order.size() && score[order[end]] == score[order[i]]) ++end;
    double relevance = 0, discounts = 0;
    for (size_t j = i; j < end; ++j) {
      relevance += truth[order[j]];
      discounts += discount[j];
    }
    sum += relevance / static_cast<double>(end - i) * discounts;
    i = end;
  }
  return sum;
}

struct Ranked {
  Grid truth, score;
  std::vector<double> weight;

  Ranked(const char* op, const Tensor& y_true, const Tensor& y_score, const Tensor& sample_weight,
         bool labels, Where where)
      : truth(grid_of(op, y_true, "y_true", where)), score(grid_of(op, y_score, "y_score", where)) {
    require_same_shape(op, truth, score, where);
    if (truth.flat || score.flat)
      throw ShapeError(std::string(op) + ": y_true and y_score are (N, items)", where);
    if (labels) require_flags(op, truth, "y_true", where);
    weight = weights_of(op, sample_weight, truth.rows, where);
  }

  template <class F>
  double mean(F&& f) const {
    std::vector<double> values;
    for (int64_t i = 0; i < truth.rows; ++i)
      values.push_back(f(row_of(truth, i), row_of(score, i)));
    return weighted_mean(values, weight);
  }
};

std::vector<double> discounts(const char* op, const GainOptions& options, double base,
                              int64_t items, Where where) {
  if (options.k && *options.k < 1)
    throw ValueError(std::string(op) + ": k = " + std::to_string(*options.k), where);
  if (!(base > 0) || base == 1)
    throw ValueError(std::string(op) + ": log_base = " + std::to_string(base), where);
  std::vector<double> out;
  for (int64_t i = 0; i < items; ++i)
    out.push_back(i < options.k.value_or(items)
                      ? 1 / (std::log(static_cast<double>(i + 2)) / std::log(base))
                      : 0);
  return out;
}

}  // namespace

double dcg_score(const Tensor& y_true, const Tensor& y_score, const GainOptions& options,
                 Where where) {
  const Ranked y("dcg_score", y_true, y_score, options.sample_weight, false, where);
  const auto discount = discounts("dcg_score", options, options.log_base, y.truth.columns, where);
  return y.mean([&](Row t, Row s) { return gain(t, s, discount, options.ignore_ties); });
}

double ndcg_score(const Tensor& y_true, const Tensor& y_score, const GainOptions& options,
                  Where where) {
  const Ranked y("ndcg_score", y_true, y_score, options.sample_weight, false, where);
  for (const double v : y.truth.values)
    if (v < 0)
      throw ValueError("ndcg_score: y_true contains the negative number " + std::to_string(v),
                       where);
  if (y.truth.columns < 2) throw ValueError("ndcg_score: one item has no order", where);
  const auto discount = discounts("ndcg_score", options, 2, y.truth.columns, where);
  return y.mean([&](Row t, Row s) {
    const double best = gain(t, t, discount, true);
    return best == 0 ? 0 : gain(t, s, discount, options.ignore_ties) / best;
  });
}

double coverage_error(const Tensor& y_true, const Tensor& y_score, const Tensor& sample_weight,
                      Where where) {
  const Ranked y("coverage_error", y_true, y_score, sample_weight, true, where);
  return y.mean([](Row t, Row s) {
    double least = std::numeric_limits<double>::infinity(), count = 0;
    for (size_t i = 0; i < t.size(); ++i)
      if (t[i] > 0) least = std::min(least, s[i]);
    for (const double score : s) count += score >= least;
    return count;
  });
}

double label_ranking_average_precision_score(const Tensor& y_true, const Tensor& y_score,
                                             const Tensor& sample_weight, Where where) {
  const Ranked y("label_ranking_average_precision_score", y_true, y_score, sample_weight, true,
                 where);
  return y.mean([](Row t, Row s) {
    double sum = 0, trues = 0;
    for (size_t i = 0; i < t.size(); ++i) {
      if (t[i] == 0) continue;
      double above = 0, true_above = 0;
      for (size_t j = 0; j < t.size(); ++j) {
        above += s[j] >= s[i];
        true_above += s[j] >= s[i] && t[j] > 0;
      }
      sum += true_above / above;
      ++trues;
    }
    return trues == 0 || trues == static_cast<double>(t.size()) ? 1 : sum / trues;
  });
}

double label_ranking_loss(const Tensor& y_true, const Tensor& y_score, const Tensor& sample_weight,
                          Where where) {
  const Ranked y("label_ranking_loss", y_true, y_score, sample_weight, true, where);
  return y.mean([](Row t, Row s) {
    double wrong = 0, trues = 0;
    for (size_t i = 0; i < t.size(); ++i) {
      if (t[i] == 0) continue;
      ++trues;
      for (size_t j = 0; j < t.size(); ++j) wrong += t[j] == 0 && s[j] >= s[i];
    }
    const double pairs = trues * (static_cast<double>(t.size()) - trues);
    return pairs == 0 ? 0 : wrong / pairs;
  });
}

}  // namespace glia::classic
