#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "checks.h"
#include "glia/classic/density.h"
#include "glia/ops.h"
#include "neighbor_index.h"

namespace glia::classic {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kDigits = 1e15;  // distances are compared to so many decimals, as scikit-learn's

double rounded(double x) {
  const double scaled = x * kDigits;
  return std::abs(scaled) < 0x1p52 ? std::nearbyint(scaled) / kDigits : x;
}

// A stretch in which reachability falls steeply, and the largest one since.
struct SteepDown {
  int64_t start, end;
  double since = 0;
};
using Range = std::pair<int64_t, int64_t>;

// Clusters between steep falls and steep rises of the reachability (Ankerst et al. 1999, fig. 19).
class Steep {
 public:
  Steep(std::vector<double> plot, std::vector<int64_t> predecessor, std::vector<int64_t> ordering,
        double xi, int64_t min_samples, int64_t least, bool correct)
      : plot_(std::move(plot)),
        predecessor_(std::move(predecessor)),
        ordering_(std::move(ordering)),
        keep_(1 - xi),
        min_samples_(min_samples),
        least_(least),
        correct_(correct) {
    plot_.push_back(kInfinity);
  }

  std::vector<Range> clusters() {
    const auto n = static_cast<int64_t>(plot_.size()) - 1;
    std::vector<Range> all;
    std::vector<SteepDown> falls;
    int64_t index = 0;
    double since = 0;
    for (int64_t at = 0; at < n; ++at) {
      const bool up = steep_up(at), down = steep_down(at);
      if ((!up && !down) || at < index) continue;
      since = std::max(since, *std::max_element(plot_.begin() + index, plot_.begin() + at + 1));
      filter(falls, since);
      if (down) {
        const int64_t end = extend(at, true);
        falls.push_back({at, end});
        index = end + 1;
        since = plot_[index];
        continue;
      }
      const int64_t end = extend(at, false);
      index = end + 1;
      since = plot_[index];
      std::vector<Range> found;
      for (const SteepDown& fall : falls)
        if (const std::optional<Range> range = between(fall, at, end)) found.push_back(*range);
      all.insert(all.end(), found.rbegin(), found.rend());
    }
    return all;
  }

 private:
  double ratio(int64_t i) const { return plot_[i] / plot_[i + 1]; }
  bool steep_up(int64_t i) const { return ratio(i) <= keep_; }
  bool steep_down(int64_t i) const { return ratio(i) >= 1 / keep_; }

  // The end of a steep stretch: it goes on over less steep parts of at most min_samples.
  int64_t extend(int64_t start, bool down) const {
    const auto n = static_cast<int64_t>(plot_.size()) - 1;
    int64_t end = start, flat = 0;
    for (int64_t i = start; i < n; ++i) {
      if (down ? steep_down(i) : steep_up(i)) {
        flat = 0;
        end = i;
      } else if (down ? ratio(i) < 1 : ratio(i) > 1) {
        return end;
      } else if (++flat > min_samples_) {
        break;
      }
    }
    return end;
  }

  void filter(std::vector<SteepDown>& falls, double since) const {
    if (std::isinf(since)) falls.clear();
    std::erase_if(falls, [&](const SteepDown& f) { return since > plot_[f.start] * keep_; });
    for (SteepDown& f : falls) f.since = std::max(f.since, since);
  }

  std::optional<Range> between(const SteepDown& fall, int64_t up_start, int64_t up_end) const {
    int64_t start = fall.start, end = up_end;
    if (plot_[end + 1] * keep_ < fall.since) return {};
    const double top = plot_[fall.start];
    if (top * keep_ >= plot_[end + 1]) {
      while (plot_[start + 1] > plot_[end + 1] && start < fall.end) ++start;
    } else if (plot_[end + 1] * keep_ >= top) {
      while (plot_[end - 1] > top && end > up_start) --end;
    }
    if (correct_ && !corrected(start, end)) return {};
    if (end - start + 1 < least_ || start > fall.end || end < up_start) return {};
    return Range{start, end};
  }

  // Moves the end to a sample that was reached from within.
  bool corrected(int64_t start, int64_t& end) const {
    for (; start < end; --end) {
      if (plot_[start] > plot_[end]) return true;
      const auto first = ordering_.begin();
      if (std::find(first + start, first + end, predecessor_[end]) != first + end) return true;
    }
    return false;
  }

  std::vector<double> plot_;
  std::vector<int64_t> predecessor_, ordering_;
  double keep_;
  int64_t min_samples_, least_;
  bool correct_;
};

}  // namespace

OPTICS::OPTICS(const OPTICSOptions& options, Where where) : options_(options) {
  check_options(where);
}

void OPTICS::check_options(Where where) const {
  const auto fail = [&](const std::string& what) { throw ValueError("OPTICS: " + what, where); };
  const auto& o = options_;
  if (o.min_samples < 2) fail("min_samples = " + std::to_string(o.min_samples));
  if (!(o.max_eps.value_or(1) > 0)) fail("max_eps = " + std::to_string(*o.max_eps));
  if (!(o.xi > 0 && o.xi < 1)) fail("xi = " + std::to_string(o.xi));
  if (o.min_cluster_size.value_or(2) < 2)
    fail("min_cluster_size = " + std::to_string(*o.min_cluster_size));
  if (o.eps.value_or(0) > o.max_eps.value_or(kInfinity))
    fail("eps = " + std::to_string(*o.eps) + " is above max_eps");
}

std::vector<Param> OPTICS::params() {
  auto& o = options_;
  return {{"min_samples", &o.min_samples},
          {"max_eps", &o.max_eps},
          {"metric", &o.metric, metric_names()},
          {"p", &o.p},
          {"cluster_method", &o.cluster_method, {"xi", "dbscan"}},
          {"eps", &o.eps},
          {"xi", &o.xi},
          {"predecessor_correction", &o.predecessor_correction},
          {"min_cluster_size", &o.min_cluster_size}};
}

OPTICS& OPTICS::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight,
                    Where where) {
  const NoGrad no_grad;
  check_options(where);
  refuse_sample_weight("OPTICS.fit", sample_weight, where);
  const Tensor given = cast(check_x("OPTICS.fit", x, where), kF64);
  const int64_t n = given.size(0), d = given.size(1);
  if (n < options_.min_samples)
    throw ValueError("OPTICS.fit: " + std::to_string(n) +
                         " samples for min_samples = " + std::to_string(options_.min_samples),
                     where);
  const double max_eps = options_.max_eps.value_or(kInfinity);
  NearestNeighbors search({.metric = options_.metric, .p = options_.p}, where);
  search.fit(given, {}, {}, where);
  const std::vector<double> nearest =
      search.kneighbors(given, options_.min_samples, where).distances.to_vector<double>();
  std::vector<double> core, reach(static_cast<size_t>(n), kInfinity);
  for (int64_t i = 0; i < n; ++i) {
    const double c = nearest[(i + 1) * options_.min_samples - 1];
    core.push_back(c > max_eps ? kInfinity : rounded(c));
  }
  const bool given_distances = options_.metric == Metric::kPrecomputed;
  const Distance distance(options_.metric, options_.p);
  const Tensor rows = options_.metric == Metric::kCosine ? unit_rows(given) : given;
  const double* values = rows.data<double>().data();
  std::vector<int64_t> from(static_cast<size_t>(n), -1), order;
  std::vector<int64_t> left(static_cast<size_t>(n));
  std::iota(left.begin(), left.end(), 0);
  while (!left.empty()) {
    const auto next = std::min_element(left.begin(), left.end(),
                                       [&](int64_t a, int64_t b) { return reach[a] < reach[b]; });
    const int64_t i = *next;
    left.erase(next);
    order.push_back(i);
    if (std::isinf(core[i])) continue;
    for (const int64_t j : left) {
      const double away =
          given_distances
              ? values[i * n + j]
              : distance.of_reduced(distance.reduced(values + i * d, values + j * d, d));
      if (away > max_eps) continue;
      const double r = rounded(std::max(away, core[i]));
      if (r < reach[j]) reach[j] = r, from[j] = i;
    }
  }
  std::vector<int64_t> of(static_cast<size_t>(n), -1), hierarchy;
  if (options_.cluster_method == OpticsMethod::kXi) {
    std::vector<double> plot;
    std::vector<int64_t> before;
    for (const int64_t i : order) plot.push_back(reach[i]), before.push_back(from[i]);
    Steep steep(std::move(plot), std::move(before), order, options_.xi, options_.min_samples,
                options_.min_cluster_size.value_or(options_.min_samples),
                options_.predecessor_correction);
    int64_t count = 0;
    for (const auto& [start, end] : steep.clusters()) {
      hierarchy.push_back(start);
      hierarchy.push_back(end);
      bool free = true;
      for (int64_t k = start; k <= end; ++k) free = free && of[order[k]] == -1;
      if (!free) continue;
      for (int64_t k = start; k <= end; ++k) of[order[k]] = count;
      ++count;
    }
  }
  ordering = from_vector(order, {n});
  reachability = from_vector(reach, {n});
  core_distances = from_vector(core, {n});
  predecessor = from_vector(from, {n});
  cluster_hierarchy = from_vector(hierarchy, {static_cast<int64_t>(hierarchy.size()) / 2, 2});
  labels = from_vector(of, {n});
  n_features_in = d;
  if (options_.cluster_method == OpticsMethod::kDbscan)
    labels = cluster_optics_dbscan(*this, options_.eps.value_or(max_eps), where);
  return *this;
}

Tensor cluster_optics_dbscan(const OPTICS& optics, double eps, Where where) {
  require_fitted("cluster_optics_dbscan", optics.fitted(), where);
  if (!(eps >= 0) || eps > optics.options().max_eps.value_or(kInfinity))
    throw ValueError("cluster_optics_dbscan: eps = " + std::to_string(eps), where);
  const auto order = optics.ordering.to_vector<int64_t>();
  const auto reach = optics.reachability.to_vector<double>();
  const auto core = optics.core_distances.to_vector<double>();
  std::vector<int64_t> of(order.size(), -1);
  int64_t cluster = -1;
  for (const int64_t i : order) {
    const bool far = reach[i] > eps, dense = core[i] <= eps;
    if (far && dense) ++cluster;
    of[i] = far && !dense ? -1 : cluster;
  }
  return from_vector(of, {static_cast<int64_t>(of.size())});
}

StateDict OPTICS::state_dict(Where where) const {
  require_fitted("OPTICS.state_dict", fitted(), where);
  return {{"labels", labels},
          {"ordering", ordering},
          {"reachability", reachability},
          {"core_distances", core_distances},
          {"predecessor", predecessor},
          {"cluster_hierarchy", cluster_hierarchy},
          {"n_features_in", tensor(n_features_in)}};
}

void OPTICS::load_state_dict(const StateDict& state, Where where) {
  StateReader read("OPTICS", state, where);
  const Tensor of = read.take("labels", kI64, {-1});
  const Shape n = of.shape();
  const Tensor order = read.take("ordering", kI64, n);
  const Tensor reach = read.take("reachability", kF64, n, true);
  const Tensor core = read.take("core_distances", kF64, n, true);
  const Tensor from = read.take("predecessor", kI64, n);
  const Tensor hierarchy = read.take("cluster_hierarchy", kI64, read.shape_of("cluster_hierarchy"));
  const int64_t features = read.count("n_features_in");
  read.finish();
  if (!all_within(order, n[0]) || !all_within(from + 1, n[0] + 1) || hierarchy.rank() != 2 ||
      hierarchy.size(1) != 2 || !all_within(hierarchy, n[0]) || features < 1)
    throw Error("OPTICS.load_state_dict: its parts do not fit together", where);
  labels = of;
  ordering = order;
  reachability = reach;
  core_distances = core;
  predecessor = from;
  cluster_hierarchy = hierarchy;
  n_features_in = features;
}

}  // namespace glia::classic
