#include "glia/classic/metrics/clustering.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "metrics/inputs.h"

namespace glia::classic {
namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();

double entropy(const std::vector<int64_t>& counts, double n) {
  double sum = 0;
  for (const int64_t c : counts)
    if (c > 0) sum -= static_cast<double>(c) / n * std::log(static_cast<double>(c) / n);
  return sum;
}

double pairs(int64_t n) { return static_cast<double>(n) * static_cast<double>(n - 1) / 2; }

// The mutual information of partitions with these sizes by chance (Vinh et al. 2010, eq. 24).
double expected_information(const std::vector<int64_t>& a, const std::vector<int64_t>& b,
                            int64_t count) {
  const auto n = static_cast<double>(count);
  const auto lfact = [](int64_t k) { return std::lgamma(static_cast<double>(k) + 1); };
  double sum = 0;
  for (const int64_t x : a)
    for (const int64_t y : b)
      for (int64_t k = std::max<int64_t>(1, x + y - count); k <= std::min(x, y); ++k) {
        const double both = static_cast<double>(k);
        const double log_chance = lfact(x) + lfact(y) + lfact(count - x) + lfact(count - y) -
                                  lfact(count) - lfact(k) - lfact(x - k) - lfact(y - k) -
                                  lfact(count - x - y + k);
        sum += both / n * std::log(n * both / (static_cast<double>(x) * static_cast<double>(y))) *
               std::exp(log_chance);
      }
  return sum;
}

// How many samples each class has in each cluster.
struct Contingency {
  int64_t n = 0, classes = 0, clusters = 0;
  std::vector<int64_t> table, a, b;  // (classes, clusters), and its sums

  Contingency(const char* op, const Tensor& labels_true, const Tensor& labels_pred, Where where) {
    const auto right = [](const Tensor& t) {
      return t.defined() && t.rank() == 1 && t.dtype() == kI64 && t.numel() > 0;
    };
    if (!right(labels_true) || !right(labels_pred) || labels_true.shape() != labels_pred.shape()) {
      const auto shape = [](const Tensor& t) {
        return t.defined() ? t.shape().str() : "undefined";
      };
      throw ShapeError(std::string(op) + ": labels are i64 (N) with N > 0 twice, not " +
                           shape(labels_true) + " and " + shape(labels_pred),
                       where);
    }
    const std::vector<int64_t> truth = labels_true.to_vector<int64_t>();
    const std::vector<int64_t> guess = labels_pred.to_vector<int64_t>();
    const std::vector<int64_t> rows = distinct(truth), columns = distinct(guess);
    n = labels_true.numel();
    classes = static_cast<int64_t>(rows.size());
    clusters = static_cast<int64_t>(columns.size());
    table.resize(static_cast<size_t>(classes * clusters));
    a.resize(rows.size());
    b.resize(columns.size());
    for (size_t i = 0; i < truth.size(); ++i) {
      const int64_t r = position(rows, truth[i]), c = position(columns, guess[i]);
      ++table[static_cast<size_t>(r * clusters + c)];
      ++a[static_cast<size_t>(r)];
      ++b[static_cast<size_t>(c)];
    }
  }

  double count() const { return static_cast<double>(n); }
  double information() const {
    double sum = 0;
    for (int64_t i = 0; i < classes; ++i)
      for (int64_t j = 0; j < clusters; ++j) {
        const auto k = static_cast<double>(table[static_cast<size_t>(i * clusters + j)]);
        if (k > 0)
          sum += k / count() *
                 std::log(count() * k /
                          (static_cast<double>(a[static_cast<size_t>(i)]) *
                           static_cast<double>(b[static_cast<size_t>(j)])));
      }
    return classes == 1 || clusters == 1 ? 0 : std::max(0.0, sum);
  }
  double together() const {
    double sum = 0;
    for (const int64_t k : table) sum += pairs(k);
    return sum;
  }
  // Both are one cluster, or all alone: the same partition.
  bool trivial() const { return classes == clusters && (classes == 1 || classes == n); }
};

double average(EntropyAverage method, double a, double b) {
  switch (method) {
    case EntropyAverage::kMin:
      return std::min(a, b);
    case EntropyAverage::kGeometric:
      return std::sqrt(a * b);
    case EntropyAverage::kArithmetic:
      return (a + b) / 2;
    case EntropyAverage::kMax:
      return std::max(a, b);
  }
  return 0;
}

double adjusted_information(const Contingency& c, EntropyAverage method) {
  if (c.trivial()) return 1;
  const double by_chance = expected_information(c.a, c.b, c.n);
  const double room = average(method, entropy(c.a, c.count()), entropy(c.b, c.count())) - by_chance;
  // As scikit-learn: without room the sign is kept, and nothing is divided by 0.
  return (c.information() - by_chance) / (room < 0 ? std::min(room, -kEps) : std::max(room, kEps));
}

// X (N, features) and which of the labels each sample has.
struct Labelled {
  Grid x;
  std::vector<size_t> label;
  std::vector<double> counts;

  Labelled(const char* op, const Tensor& x_in, const Tensor& labels, Where where)
      : x(grid_of(op, x_in, "X", where)) {
    const Grid given = grid_of(op, labels, "labels", where);
    require_rows(op, x, given, where);
    if (x.flat) throw ShapeError(std::string(op) + ": X is (N, features)", where);
    const std::vector<int64_t> of_samples = labels_of(op, given, "labels", where);
    const std::vector<int64_t> names = distinct(of_samples);
    counts.resize(names.size());
    for (const int64_t one : of_samples) {
      label.push_back(static_cast<size_t>(position(names, one)));
      ++counts[label.back()];
    }
    if (names.size() < 2 || static_cast<int64_t>(names.size()) >= x.rows)
      throw ValueError(std::string(op) + ": there are " + std::to_string(names.size()) +
                           " labels, not from 2 to " + std::to_string(x.rows - 1),
                       where);
  }

  const double* row(int64_t i) const { return x.values.data() + i * x.columns; }
  // The mean of each cluster, (clusters, features).
  std::vector<double> means() const {
    const auto d = static_cast<size_t>(x.columns);
    std::vector<double> out(counts.size() * d);
    for (int64_t i = 0; i < x.rows; ++i)
      for (size_t f = 0; f < d; ++f) out[label[static_cast<size_t>(i)] * d + f] += row(i)[f];
    for (size_t c = 0; c < counts.size(); ++c)
      for (size_t f = 0; f < d; ++f) out[c * d + f] /= counts[c];
    return out;
  }
  double distance2(const double* p, const double* q) const {
    double sum = 0;
    for (int64_t f = 0; f < x.columns; ++f) sum += (p[f] - q[f]) * (p[f] - q[f]);
    return sum;
  }
};

std::vector<double> silhouettes(const char* op, const Tensor& x, const Tensor& labels,
                                SilhouetteMetric metric, Where where) {
  const Labelled s(op, x, labels, where);
  const bool given = metric == SilhouetteMetric::kPrecomputed;
  if (given) {
    if (s.x.columns != s.x.rows)
      throw ShapeError(std::string(op) + ": distances are (N, N)", where);
    for (int64_t i = 0; i < s.x.rows; ++i)
      if (std::abs(s.x.at(i, i)) > 100 * kEps)
        throw ValueError(std::string(op) + ": a distance on the diagonal is not 0", where);
  }
  std::vector<double> out(s.label.size());
  parallel_for(s.x.rows, [&](int64_t i) {
    std::vector<double> sums(s.counts.size());
    for (int64_t j = 0; j < s.x.rows; ++j)
      sums[s.label[static_cast<size_t>(j)]] +=
          given ? s.x.at(i, j) : std::sqrt(s.distance2(s.row(i), s.row(j)));
    const size_t own = s.label[static_cast<size_t>(i)];
    if (s.counts[own] == 1) return;
    const double within = sums[own] / (s.counts[own] - 1);
    double next = std::numeric_limits<double>::infinity();
    for (size_t c = 0; c < sums.size(); ++c)
      if (c != own) next = std::min(next, sums[c] / s.counts[c]);
    const double most = std::max(within, next);
    out[static_cast<size_t>(i)] = most > 0 ? (next - within) / most : 0;
  });
  return out;
}

}  // namespace

// ---- Beside the truth -------------------------------------------------------------------------

double homogeneity_score(const Tensor& labels_true, const Tensor& labels_pred, Where where) {
  const Contingency c("homogeneity_score", labels_true, labels_pred, where);
  const double h = entropy(c.a, c.count());
  return h > 0 ? c.information() / h : 1;
}

double completeness_score(const Tensor& labels_true, const Tensor& labels_pred, Where where) {
  const Contingency c("completeness_score", labels_true, labels_pred, where);
  const double h = entropy(c.b, c.count());
  return h > 0 ? c.information() / h : 1;
}

double v_measure_score(const Tensor& labels_true, const Tensor& labels_pred, double beta,
                       Where where) {
  if (!(beta >= 0)) throw ValueError("v_measure_score: beta = " + std::to_string(beta), where);
  const double h = homogeneity_score(labels_true, labels_pred, where);
  const double c = completeness_score(labels_true, labels_pred, where);
  return h + c > 0 ? (1 + beta) * h * c / (beta * h + c) : 0;
}

double adjusted_rand_score(const Tensor& labels_true, const Tensor& labels_pred, Where where) {
  const Contingency c("adjusted_rand_score", labels_true, labels_pred, where);
  double of_classes = 0, of_clusters = 0;
  for (const int64_t k : c.a) of_classes += pairs(k);
  for (const int64_t k : c.b) of_clusters += pairs(k);
  const double chance = c.n > 1 ? of_classes * of_clusters / pairs(c.n) : 0;
  const double most = (of_classes + of_clusters) / 2;
  return most == chance ? 1 : (c.together() - chance) / (most - chance);
}

ClusteringScores clustering_scores(const Tensor& labels_true, const Tensor& labels_pred,
                                   Where where) {
  const Contingency c("clustering_scores", labels_true, labels_pred, where);
  return {homogeneity_score(labels_true, labels_pred, where),
          completeness_score(labels_true, labels_pred, where),
          v_measure_score(labels_true, labels_pred, 1, where),
          adjusted_rand_score(labels_true, labels_pred, where),
          adjusted_information(c, EntropyAverage::kArithmetic)};
}

Tensor contingency_matrix(const Tensor& labels_true, const Tensor& labels_pred, Where where) {
  const Contingency c("contingency_matrix", labels_true, labels_pred, where);
  return from_vector(c.table, {c.classes, c.clusters});
}

Tensor pair_confusion_matrix(const Tensor& labels_true, const Tensor& labels_pred, Where where) {
  const Contingency c("pair_confusion_matrix", labels_true, labels_pred, where);
  const auto squares = [](const std::vector<int64_t>& counts) {
    int64_t sum = 0;
    for (const int64_t k : counts) sum += k * k;
    return sum;
  };
  const int64_t both = squares(c.table), classes = squares(c.a), clusters = squares(c.b);
  return from_vector(std::vector<int64_t>{c.n * c.n - classes - clusters + both, clusters - both,
                                          classes - both, both - c.n},
                     {2, 2});
}

double rand_score(const Tensor& labels_true, const Tensor& labels_pred, Where where) {
  const std::vector<int64_t> p =
      pair_confusion_matrix(labels_true, labels_pred, where).to_vector<int64_t>();
  const int64_t same = p[0] + p[3], all = same + p[1] + p[2];
  return all == 0 ? 1 : static_cast<double>(same) / static_cast<double>(all);
}

double fowlkes_mallows_score(const Tensor& labels_true, const Tensor& labels_pred, Where where) {
  const Contingency c("fowlkes_mallows_score", labels_true, labels_pred, where);
  double of_classes = 0, of_clusters = 0;
  for (const int64_t k : c.a) of_classes += pairs(k);
  for (const int64_t k : c.b) of_clusters += pairs(k);
  const double both = c.together();
  return both == 0 ? 0 : std::sqrt(both / of_clusters) * std::sqrt(both / of_classes);
}

double mutual_info_score(const Tensor& labels_true, const Tensor& labels_pred, Where where) {
  return Contingency("mutual_info_score", labels_true, labels_pred, where).information();
}

double normalized_mutual_info_score(const Tensor& labels_true, const Tensor& labels_pred,
                                    EntropyAverage average_method, Where where) {
  const Contingency c("normalized_mutual_info_score", labels_true, labels_pred, where);
  if (c.classes == 1 && c.clusters == 1) return 1;
  const double information = c.information();
  if (information <= kEps) return 0;
  return information / average(average_method, entropy(c.a, c.count()), entropy(c.b, c.count()));
}

double adjusted_mutual_info_score(const Tensor& labels_true, const Tensor& labels_pred,
                                  EntropyAverage average_method, Where where) {
  return adjusted_information(
      Contingency("adjusted_mutual_info_score", labels_true, labels_pred, where), average_method);
}

// ---- Beside the samples -----------------------------------------------------------------------

Tensor silhouette_samples(const Tensor& x, const Tensor& labels, SilhouetteMetric metric,
                          Where where) {
  return to_tensor(silhouettes("silhouette_samples", x, labels, metric, where));
}

double silhouette_score(const Tensor& x, const Tensor& labels, SilhouetteMetric metric,
                        Where where) {
  double sum = 0;
  const std::vector<double> all = silhouettes("silhouette_score", x, labels, metric, where);
  for (const double s : all) sum += s;
  return sum / static_cast<double>(all.size());
}

double calinski_harabasz_score(const Tensor& x, const Tensor& labels, Where where) {
  const Labelled s("calinski_harabasz_score", x, labels, where);
  const std::vector<double> means = s.means();
  const auto d = static_cast<size_t>(s.x.columns);
  const double n = static_cast<double>(s.x.rows), k = static_cast<double>(s.counts.size());
  std::vector<double> centre(d);
  for (size_t c = 0; c < s.counts.size(); ++c)
    for (size_t f = 0; f < d; ++f) centre[f] += means[c * d + f] * s.counts[c] / n;
  double between = 0, within = 0;
  for (size_t c = 0; c < s.counts.size(); ++c)
    between += s.counts[c] * s.distance2(means.data() + c * d, centre.data());
  for (int64_t i = 0; i < s.x.rows; ++i)
    within += s.distance2(s.row(i), means.data() + s.label[static_cast<size_t>(i)] * d);
  return within == 0 ? 1 : between * (n - k) / (within * (k - 1));
}

double davies_bouldin_score(const Tensor& x, const Tensor& labels, Where where) {
  const Labelled s("davies_bouldin_score", x, labels, where);
  const std::vector<double> means = s.means();
  const auto d = static_cast<size_t>(s.x.columns);
  const size_t k = s.counts.size();
  std::vector<double> width(k);
  for (int64_t i = 0; i < s.x.rows; ++i) {
    const size_t c = s.label[static_cast<size_t>(i)];
    width[c] += std::sqrt(s.distance2(s.row(i), means.data() + c * d)) / s.counts[c];
  }
  double sum = 0, farthest = 0;
  for (size_t a = 0; a < k; ++a) {
    double most = 0;
    for (size_t b = 0; b < k; ++b) {
      const double apart = std::sqrt(s.distance2(means.data() + a * d, means.data() + b * d));
      farthest = std::max(farthest, apart);
      if (apart > 0) most = std::max(most, (width[a] + width[b]) / apart);
    }
    sum += most;
  }
  const double widest = *std::max_element(width.begin(), width.end());
  return widest <= 1e-8 || farthest <= 1e-8 ? 0 : sum / static_cast<double>(k);
}

}  // namespace glia::classic
