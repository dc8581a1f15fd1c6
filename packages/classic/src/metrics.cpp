#include "glia/classic/metrics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "glia/error.h"

namespace glia::classic {
namespace {

// Each label as the place of its first appearance: 0, 1, ...
std::vector<int64_t> places(std::span<const int64_t> labels, int64_t& count) {
  std::map<int64_t, int64_t> seen;
  std::vector<int64_t> out;
  for (const int64_t label : labels)
    out.push_back(seen.try_emplace(label, static_cast<int64_t>(seen.size())).first->second);
  count = static_cast<int64_t>(seen.size());
  return out;
}

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

}  // namespace

ClusteringScores clustering_scores(const Tensor& labels_true, const Tensor& labels_pred,
                                   Where where) {
  if (labels_true.rank() != 1 || labels_true.dtype() != kI64 || labels_pred.dtype() != kI64 ||
      labels_pred.shape() != labels_true.shape() || labels_true.numel() == 0)
    throw ShapeError("clustering_scores: labels are i64 (N) with N > 0 twice, not " +
                         labels_true.shape().str() + " and " + labels_pred.shape().str(),
                     where);
  const int64_t count = labels_true.numel();
  const auto n = static_cast<double>(count);
  int64_t classes = 0, clusters = 0;
  const auto truth = places(labels_true.data<int64_t>(), classes);
  const auto guess = places(labels_pred.data<int64_t>(), clusters);
  std::vector<int64_t> table(static_cast<size_t>(classes * clusters)), a(classes), b(clusters);
  for (int64_t i = 0; i < count; ++i) {
    ++table[truth[i] * clusters + guess[i]];
    ++a[truth[i]];
    ++b[guess[i]];
  }

  double information = 0, together = 0, of_classes = 0, of_clusters = 0;
  for (int64_t i = 0; i < classes; ++i)
    for (int64_t j = 0; j < clusters; ++j) {
      const int64_t k = table[i * clusters + j];
      together += pairs(k);
      if (k > 0)
        information += static_cast<double>(k) / n *
                       std::log(n * static_cast<double>(k) /
                                (static_cast<double>(a[i]) * static_cast<double>(b[j])));
    }
  information = std::max(0.0, information);
  for (const int64_t c : a) of_classes += pairs(c);
  for (const int64_t c : b) of_clusters += pairs(c);
  const double ha = entropy(a, n), hb = entropy(b, n);

  ClusteringScores s;
  s.homogeneity = ha > 0 ? information / ha : 1;
  s.completeness = hb > 0 ? information / hb : 1;
  const double both = s.homogeneity + s.completeness;
  s.v_measure = both > 0 ? 2 * s.homogeneity * s.completeness / both : 0;
  const double chance = count > 1 ? of_classes * of_clusters / pairs(count) : 0;
  const double most = (of_classes + of_clusters) / 2;
  s.adjusted_rand = most == chance ? 1 : (together - chance) / (most - chance);
  const bool same = classes == clusters && (classes == 1 || classes == count);
  if (same) {
    s.adjusted_mutual_info = 1;
  } else {
    const double by_chance = expected_information(a, b, count);
    const double room = (ha + hb) / 2 - by_chance;
    // As scikit-learn: without room the sign is kept, and nothing is divided by 0.
    const double least = std::numeric_limits<double>::epsilon();
    s.adjusted_mutual_info =
        (information - by_chance) / (room < 0 ? std::min(room, -least) : std::max(room, least));
  }
  return s;
}

}  // namespace glia::classic
