#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "checks.h"
#include "glia/classic/density.h"
#include "glia/ops.h"
#include "merge_tree.h"
#include "neighbor_index.h"

namespace glia::classic {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A sample or a cluster that leaves a cluster at density `lambda`, 1 / distance.
struct Fall {
  int64_t parent, child;
  double lambda;
  int64_t size;
};

class Condensed {
 public:
  Condensed(const std::vector<Merge>& merges, const HDBSCANOptions& options)
      : merges_(merges), n_(static_cast<int64_t>(merges.size()) + 1), options_(options) {
    condense();
  }

  // Labels and how strongly each sample belongs, by the chosen clusters.
  void label(std::vector<int64_t>& labels, std::vector<double>& probabilities) const {
    std::vector<int64_t> chosen =
        options_.cluster_selection_method == ClusterSelection::kEom ? largest_mass() : leaves();
    if (options_.cluster_selection_epsilon > 0) chosen = merged_within(chosen);
    std::sort(chosen.begin(), chosen.end());
    std::map<int64_t, int64_t> number;
    for (const int64_t c : chosen) number.try_emplace(c, static_cast<int64_t>(number.size()));
    // The nearest chosen cluster that each cluster lies in, or the root.
    std::vector<int64_t> home(static_cast<size_t>(clusters_), n_);
    std::vector<double> strongest(static_cast<size_t>(clusters_), 0);
    for (int64_t c = 0; c < clusters_; ++c)
      home[c] = number.count(n_ + c) || c == 0 ? n_ + c : home[parent_[c] - n_];
    for (const Fall& f : falls_)
      strongest[f.parent - n_] = std::max(strongest[f.parent - n_], f.lambda);
    const bool single = chosen.size() == 1 && chosen[0] == n_;
    double least = 0;  // of a single cluster: what leaves it before is noise
    if (single) {
      const double eps = options_.cluster_selection_epsilon;
      if (eps > 0) {
        least = 1 / eps;
      } else {
        for (const Fall& f : falls_)
          if (f.parent == n_) least = std::max(least, f.lambda);
      }
    }
    labels.assign(static_cast<size_t>(n_), -1);
    probabilities.assign(static_cast<size_t>(n_), 0);
    for (const Fall& f : falls_) {
      if (f.child >= n_) continue;
      const int64_t of = home[f.parent - n_];
      const auto found = number.find(of);
      if (found == number.end() || (of == n_ && f.lambda < least)) continue;
      labels[f.child] = found->second;
      const double most = strongest[of - n_];
      probabilities[f.child] =
          most == 0 || !std::isfinite(f.lambda) ? 1 : std::min(f.lambda, most) / most;
    }
  }

 private:
  const Merge& merge(int64_t node) const { return merges_[node - n_]; }
  int64_t size(int64_t node) const { return node < n_ ? 1 : merge(node).size; }

  std::vector<int64_t> below(int64_t node) const {  // breadth first
    std::vector<int64_t> all{node};
    for (size_t i = 0; i < all.size(); ++i)
      if (const int64_t at = all[i]; at >= n_) {
        all.push_back(merge(at).left);
        all.push_back(merge(at).right);
      }
    return all;
  }

  void condense() {
    const int64_t root = 2 * n_ - 2;
    std::vector<int64_t> label(static_cast<size_t>(2 * n_ - 1), -1);
    std::vector<bool> gone(label.size());
    label[root] = n_;
    parent_ = {n_};
    birth_ = {0};
    clusters_ = 1;
    const auto cluster = [&](int64_t node, int64_t of, double lambda) {
      label[node] = n_ + clusters_++;
      parent_.push_back(of);
      birth_.push_back(lambda);
      falls_.push_back({of, label[node], lambda, size(node)});
    };
    const auto dissolve = [&](int64_t node, int64_t of, double lambda) {
      for (const int64_t at : below(node)) {
        if (at < n_) falls_.push_back({of, at, lambda, 1});
        gone[at] = true;
      }
    };
    for (const int64_t node : below(root)) {
      if (node < n_ || gone[node]) continue;
      const Merge& m = merge(node);
      const double lambda = m.distance > 0 ? 1 / m.distance : kInfinity;
      const bool left = size(m.left) >= options_.min_cluster_size;
      const bool right = size(m.right) >= options_.min_cluster_size;
      const int64_t of = label[node];
      if (left && right) {
        cluster(m.left, of, lambda);
        cluster(m.right, of, lambda);
        continue;
      }
      for (const auto& [child, lasts] : {std::pair{m.left, left}, {m.right, right}}) {
        if (lasts)
          label[child] = of;
        else
          dissolve(child, of, lambda);
      }
    }
  }

  // Sum over what is in a cluster of how long it stays.
  std::vector<double> stabilities() const {
    std::vector<double> stability(static_cast<size_t>(clusters_), 0);
    for (const Fall& f : falls_)
      if (const double lasted = f.lambda - birth_[f.parent - n_]; !std::isnan(lasted))
        stability[f.parent - n_] += lasted * static_cast<double>(f.size);
    return stability;
  }

  std::vector<int64_t> largest_mass() const {
    std::vector<double> stability = stabilities(), inside(stability.size(), 0);
    std::vector<int64_t> members(stability.size(), n_);
    for (const Fall& f : falls_)
      if (f.child >= n_) members[f.child - n_] = f.size;
    const int64_t most = options_.max_cluster_size.value_or(n_ + 1);
    std::vector<bool> is(stability.size(), false);
    const int64_t first = options_.allow_single_cluster ? 0 : 1;
    for (int64_t c = clusters_ - 1; c >= first; --c) {
      is[c] = !(inside[c] > stability[c]) && members[c] <= most;
      if (!is[c]) stability[c] = inside[c];
      if (c > 0) inside[parent_[c] - n_] += stability[c];
    }
    std::vector<int64_t> chosen;
    std::vector<bool> covered(stability.size(), false);
    for (int64_t c = 0; c < clusters_; ++c) {
      if (c > 0) covered[c] = covered[parent_[c] - n_] || is[parent_[c] - n_];
      if (is[c] && !covered[c]) chosen.push_back(n_ + c);
    }
    return chosen;
  }

  std::vector<int64_t> leaves() const {
    std::vector<bool> inner(static_cast<size_t>(clusters_), false);
    for (int64_t c = 1; c < clusters_; ++c) inner[parent_[c] - n_] = true;
    std::vector<int64_t> chosen;
    for (int64_t c = clusters_ > 1 || !options_.allow_single_cluster ? 1 : 0; c < clusters_; ++c)
      if (!inner[c]) chosen.push_back(n_ + c);
    return chosen;
  }

  // Clusters that were born nearer than epsilon give way to the one around them that was not
  // (Malzer & Baum 2020).
  std::vector<int64_t> merged_within(const std::vector<int64_t>& chosen) const {
    const double eps = options_.cluster_selection_epsilon;
    std::vector<int64_t> kept;
    for (int64_t c : chosen) {
      while (c > n_ && 1 / birth_[c - n_] < eps) {
        const int64_t up = parent_[c - n_];
        if (up == n_) {
          if (options_.allow_single_cluster) c = up;
          break;
        }
        c = up;
      }
      kept.push_back(c);
    }
    std::sort(kept.begin(), kept.end());
    kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
    std::erase_if(kept, [&](int64_t c) {  // that lie in another
      while (c > n_) {
        c = parent_[c - n_];
        if (std::binary_search(kept.begin(), kept.end(), c)) return true;
      }
      return false;
    });
    return kept;
  }

  const std::vector<Merge>& merges_;
  int64_t n_;
  const HDBSCANOptions& options_;
  int64_t clusters_ = 0;
  std::vector<int64_t> parent_;  // of cluster n + c
  std::vector<double> birth_;    // the density at which it parts from that
  std::vector<Fall> falls_;
};

}  // namespace

HDBSCAN::HDBSCAN(const HDBSCANOptions& options, Where where) : options_(options) {
  check_options(where);
}

void HDBSCAN::check_options(Where where) const {
  const auto fail = [&](const std::string& what) { throw ValueError("HDBSCAN: " + what, where); };
  const auto& o = options_;
  if (o.min_cluster_size < 2) fail("min_cluster_size = " + std::to_string(o.min_cluster_size));
  if (o.min_samples.value_or(1) < 1) fail("min_samples = " + std::to_string(*o.min_samples));
  if (!(o.cluster_selection_epsilon >= 0))
    fail("cluster_selection_epsilon = " + std::to_string(o.cluster_selection_epsilon));
  if (!(o.alpha > 0)) fail("alpha = " + std::to_string(o.alpha));
  if (o.max_cluster_size.value_or(2) < 1)
    fail("max_cluster_size = " + std::to_string(*o.max_cluster_size));
}

std::vector<Param> HDBSCAN::params() {
  auto& o = options_;
  return {{"min_cluster_size", &o.min_cluster_size},
          {"min_samples", &o.min_samples},
          {"cluster_selection_epsilon", &o.cluster_selection_epsilon},
          {"max_cluster_size", &o.max_cluster_size},
          {"metric", &o.metric, metric_names()},
          {"p", &o.p},
          {"alpha", &o.alpha},
          {"cluster_selection_method", &o.cluster_selection_method, {"eom", "leaf"}},
          {"allow_single_cluster", &o.allow_single_cluster}};
}

HDBSCAN& HDBSCAN::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight,
                      Where where) {
  const NoGrad no_grad;
  check_options(where);
  refuse_sample_weight("HDBSCAN.fit", sample_weight, where);
  const Tensor given = cast(check_x("HDBSCAN.fit", x, where), kF64);
  const int64_t n = given.size(0), d = given.size(1);
  const int64_t near = options_.min_samples.value_or(options_.min_cluster_size);
  if (n < 2) throw ValueError("HDBSCAN.fit: one sample has no neighbours", where);
  if (near > n)
    throw ValueError("HDBSCAN.fit: min_samples = " + std::to_string(near) + " of " +
                         std::to_string(n) + " samples",
                     where);
  NearestNeighbors search({.metric = options_.metric, .p = options_.p}, where);
  search.fit(given, {}, {}, where);
  const std::vector<double> nearest =
      search.kneighbors(given, near, where).distances.to_vector<double>();
  std::vector<double> core;
  for (int64_t i = 0; i < n; ++i) core.push_back(nearest[(i + 1) * near - 1]);
  const Distance metric(options_.metric, options_.p);
  const Tensor rows = options_.metric == Metric::kCosine ? unit_rows(given) : given;
  const double* values = rows.data<double>().data();
  const bool given_distances = options_.metric == Metric::kPrecomputed;
  const auto tree = spanning_tree(n, [&](int64_t a, int64_t b) {
    const double apart = given_distances
                             ? values[a * n + b]
                             : metric.of_reduced(metric.reduced(values + a * d, values + b * d, d));
    return std::max({core[a], core[b], apart / options_.alpha});
  });
  const std::vector<Merge> merges = merge_tree(tree);
  std::vector<int64_t> of;
  std::vector<double> share;
  Condensed(merges, options_).label(of, share);
  labels = from_vector(of, {n});
  probabilities = from_vector(share, {n});
  n_features_in = d;
  return *this;
}

StateDict HDBSCAN::state_dict(Where where) const {
  require_fitted("HDBSCAN.state_dict", fitted(), where);
  return {{"labels", labels},
          {"probabilities", probabilities},
          {"n_features_in", tensor(n_features_in)}};
}

void HDBSCAN::load_state_dict(const StateDict& state, Where where) {
  StateReader read("HDBSCAN", state, where);
  const Tensor of = read.take("labels", kI64, {-1});
  const Tensor share = read.take("probabilities", kF64, of.shape());
  const int64_t features = read.count("n_features_in");
  read.finish();
  if (features < 1) throw Error("HDBSCAN.load_state_dict: n_features_in is 0", where);
  labels = of;
  probabilities = share;
  n_features_in = features;
}

}  // namespace glia::classic
