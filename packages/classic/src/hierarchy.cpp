#include "glia/classic/hierarchy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "checks.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "merge_tree.h"
#include "neighbor_index.h"

namespace glia::classic {
namespace {

// Distances of all pairs, each once.
class Pairs {
 public:
  explicit Pairs(int64_t n) : n_(n), values_(static_cast<size_t>(n * (n - 1) / 2)) {}
  double& operator()(int64_t i, int64_t j) { return values_[at(i, j)]; }
  double operator()(int64_t i, int64_t j) const { return values_[at(i, j)]; }

 private:
  int64_t at(int64_t i, int64_t j) const {
    if (i > j) std::swap(i, j);
    return n_ * i - i * (i + 1) / 2 + j - i - 1;
  }

  int64_t n_;
  std::vector<double> values_;
};

Pairs pairs_of(const Tensor& x, Metric metric) {
  const int64_t n = x.size(0), d = x.size(1);
  const Distance distance(metric);
  const Tensor rows = metric == Metric::kCosine ? unit_rows(x) : x;
  const double* v = rows.data<double>().data();
  Pairs pairs(n);
  parallel_for(n, [&](int64_t i) {
    for (int64_t j = i + 1; j < n; ++j)
      pairs(i, j) = metric == Metric::kPrecomputed
                        ? v[i * n + j]
                        : distance.of_reduced(distance.reduced(v + i * d, v + j * d, d));
  });
  return pairs;
}

// From merged clusters a and b to another one (Lance & Williams 1967); `n` are numbers of samples.
double merged(LinkageMethod method, double ao, double bo, double ab, double na, double nb,
              double no) {
  if (method == LinkageMethod::kComplete) return std::max(ao, bo);
  if (method == LinkageMethod::kSingle) return std::min(ao, bo);
  if (method == LinkageMethod::kAverage) return (na * ao + nb * bo) / (na + nb);
  const double t = 1 / (na + nb + no);
  return std::sqrt(
      std::max(0.0, (no + na) * t * ao * ao + (no + nb) * t * bo * bo - no * t * ab * ab));
}

// Merges by chains of nearest neighbours (Murtagh 1983); not in the order of their distances.
std::vector<Edge> chained(Pairs& pairs, int64_t n, LinkageMethod method) {
  std::vector<double> size(static_cast<size_t>(n), 1);
  std::vector<int64_t> chain, alive(static_cast<size_t>(n));
  std::iota(alive.begin(), alive.end(), 0);
  std::vector<Edge> merges;
  while (alive.size() > 1) {
    if (chain.empty()) chain.push_back(alive.front());
    int64_t a, b;
    double least;
    while (true) {
      a = chain.back();
      const bool back = chain.size() > 1;
      b = back ? chain[chain.size() - 2] : -1;
      least = back ? pairs(a, b) : std::numeric_limits<double>::infinity();
      for (const int64_t i : alive)
        if (i != a && (b == -1 || pairs(a, i) < least)) least = pairs(a, i), b = i;
      if (back && b == chain[chain.size() - 2]) break;
      chain.push_back(b);
    }
    chain.resize(chain.size() - 2);
    if (a > b) std::swap(a, b);
    merges.push_back({a, b, least});
    alive.erase(std::lower_bound(alive.begin(), alive.end(), a));
    for (const int64_t i : alive)
      if (i != b)
        pairs(i, b) = merged(method, pairs(i, a), pairs(i, b), least, size[a], size[b], size[i]);
    size[b] += size[a];
  }
  return merges;
}

// SciPy's form.
Tensor rows_of(const std::vector<Merge>& merges) {
  std::vector<double> rows;
  for (const Merge& m : merges)
    for (const double v : {static_cast<double>(m.left), static_cast<double>(m.right), m.distance,
                           static_cast<double>(m.size)})
      rows.push_back(v);
  return from_vector(rows, {static_cast<int64_t>(merges.size()), 4});
}

}  // namespace

Tensor linkage(const Tensor& x, LinkageMethod method, Metric metric, Where where) {
  const NoGrad no_grad;
  const Tensor given = cast(check_x("linkage", x, where), kF64);
  const int64_t n = given.size(0);
  if (n < 2) throw ValueError("linkage: one sample makes no tree", where);
  if (metric == Metric::kPrecomputed && n != given.size(1))
    throw ShapeError("linkage: distances are square, not " + given.shape().str(), where);
  if (metric == Metric::kMinkowski) throw ValueError("linkage: the metric has no p", where);
  if (method == LinkageMethod::kWard && metric != Metric::kEuclidean)
    throw ValueError("linkage: ward needs the Euclidean metric", where);
  Pairs pairs = pairs_of(given, metric);
  return rows_of(merge_tree(method == LinkageMethod::kSingle ? spanning_tree(n, pairs)
                                                             : chained(pairs, n, method)));
}

Tensor cut_tree(const Tensor& linkage, int64_t n_clusters, Where where) {
  if (linkage.rank() != 2 || linkage.size(0) == 0 || linkage.size(1) < 2)
    throw ShapeError("cut_tree: a tree is (samples - 1, 4), not " + linkage.shape().str(), where);
  const int64_t n = linkage.size(0) + 1, columns = linkage.size(1);
  if (n_clusters < 1 || n_clusters > n)
    throw ValueError("cut_tree: " + std::to_string(n_clusters) + " clusters of " +
                         std::to_string(n) + " samples",
                     where);
  const std::vector<double> rows = cast(linkage, kF64).to_vector<double>();
  std::vector<int64_t> parent(static_cast<size_t>(2 * n - 1), -1);
  for (int64_t i = 0; i < n - n_clusters; ++i)
    for (int64_t side = 0; side < 2; ++side) {
      const double child = rows[i * columns + side];
      if (!(child >= 0 && child < static_cast<double>(n + i)))
        throw ValueError("cut_tree: row " + std::to_string(i) + " joins what is no cluster yet",
                         where);
      parent[static_cast<int64_t>(child)] = n + i;
    }
  std::vector<int64_t> number(parent.size(), -1), labels;
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) {
    int64_t at = i;
    while (parent[at] != -1) at = parent[at];
    if (number[at] == -1) number[at] = count++;
    labels.push_back(number[at]);
  }
  return from_vector(labels, {n});
}

AgglomerativeClustering::AgglomerativeClustering(const AgglomerativeOptions& options, Where where)
    : options_(options) {
  check_options(where);
}

void AgglomerativeClustering::check_options(Where where) const {
  const auto& o = options_;
  if (o.n_clusters < 1)
    throw ValueError("AgglomerativeClustering: n_clusters = " + std::to_string(o.n_clusters),
                     where);
  if (!(o.distance_threshold.value_or(0) >= 0))
    throw ValueError("AgglomerativeClustering: distance_threshold = " +
                         to_text(ParamValue(*o.distance_threshold)),
                     where);
}

std::vector<Param> AgglomerativeClustering::params() {
  auto& o = options_;
  return {{"n_clusters", &o.n_clusters},
          {"distance_threshold", &o.distance_threshold},
          {"linkage", &o.linkage, {"ward", "complete", "average", "single"}},
          {"metric", &o.metric, metric_names()}};
}

AgglomerativeClustering& AgglomerativeClustering::fit(const Tensor& x, const Tensor& /*y*/,
                                                      const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  check_options(where);
  refuse_sample_weight("AgglomerativeClustering.fit", sample_weight, where);
  const Tensor given = check_x("AgglomerativeClustering.fit", x, where);
  const Tensor tree = classic::linkage(given, options_.linkage, options_.metric, where);
  const Tensor joined = cast(slice(tree, 1, Slice{0, 2}), kI64), apart = index(tree, {Slice{}, 2});
  eval({joined, apart}, where);
  int64_t clusters = options_.n_clusters;
  if (options_.distance_threshold) {
    clusters = 1;
    for (const double d : apart.data<double>()) clusters += d >= *options_.distance_threshold;
  }
  const Tensor of = cut_tree(tree, clusters, where);
  labels = of;
  children = joined;
  distances = apart;
  n_clusters = clusters;
  n_features_in = given.size(1);
  return *this;
}

StateDict AgglomerativeClustering::state_dict(Where where) const {
  require_fitted("AgglomerativeClustering.state_dict", fitted(), where);
  return {{"labels", labels},
          {"children", children},
          {"distances", distances},
          {"n_clusters", tensor(n_clusters)},
          {"n_features_in", tensor(n_features_in)}};
}

void AgglomerativeClustering::load_state_dict(const StateDict& state, Where where) {
  StateReader read("AgglomerativeClustering", state, where);
  const Tensor of = read.take("labels", kI64, {-1});
  const int64_t merges = of.size(0) - 1;
  const Tensor joined = read.take("children", kI64, {merges, 2});
  const Tensor apart = read.take("distances", kF64, {merges});
  const int64_t clusters = read.count("n_clusters"), features = read.count("n_features_in");
  read.finish();
  if (features < 1 || !all_within(joined, 2 * merges + 1))
    throw Error("AgglomerativeClustering.load_state_dict: its parts do not fit together", where);
  labels = of;
  children = joined;
  distances = apart;
  n_clusters = clusters;
  n_features_in = features;
}

}  // namespace glia::classic
