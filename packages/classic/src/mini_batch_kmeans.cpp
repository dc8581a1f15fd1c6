#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "checks.h"
#include "glia/classic/cluster.h"
#include "glia/data.h"
#include "glia/ops.h"

namespace glia::classic {
namespace {

// What nearest centers there are, by the estimator whose centers these are.
KMeans with_centers(const Tensor& centers) {
  KMeans kmeans({.n_clusters = centers.size(0)});
  kmeans.cluster_centers = centers;
  kmeans.n_features_in = centers.size(1);
  return kmeans;
}

}  // namespace

MiniBatchKMeans::MiniBatchKMeans(const MiniBatchKMeansOptions& options, Where where)
    : options_(options) {
  check_options(where);
}

void MiniBatchKMeans::check_options(Where where) const {
  const auto& o = options_;
  const auto require = [&](bool right, const char* name, double value) {
    if (!right)
      throw ValueError("MiniBatchKMeans: " + std::string(name) + " = " + to_text(ParamValue(value)),
                       where);
  };
  const auto real = [](int64_t i) { return static_cast<double>(i); };
  require(o.n_clusters >= 1, "n_clusters", real(o.n_clusters));
  require(o.max_iter >= 1, "max_iter", real(o.max_iter));
  require(o.batch_size >= 1, "batch_size", real(o.batch_size));
  require(o.max_no_improvement.value_or(1) >= 0, "max_no_improvement",
          real(o.max_no_improvement.value_or(1)));
  require(o.init_size.value_or(1) >= 1, "init_size", real(o.init_size.value_or(1)));
  require(o.n_init.value_or(1) >= 1, "n_init", real(o.n_init.value_or(1)));
  require(o.reassignment_ratio >= 0, "reassignment_ratio", o.reassignment_ratio);
}

std::vector<Param> MiniBatchKMeans::params() {
  auto& o = options_;
  return {{"n_clusters", &o.n_clusters},
          {"init", &o.init, {"k-means++", "random"}},
          {"max_iter", &o.max_iter},
          {"batch_size", &o.batch_size},
          {"max_no_improvement", &o.max_no_improvement},
          {"init_size", &o.init_size},
          {"n_init", &o.n_init},
          {"reassignment_ratio", &o.reassignment_ratio},
          {"random_state", &o.random_state}};
}

MiniBatchKMeans& MiniBatchKMeans::fit(const Tensor& x, const Tensor& /*y*/,
                                      const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  check_options(where);
  const char* op = "MiniBatchKMeans.fit";
  const Tensor given = check_x(op, x, where);
  const int64_t n = given.size(0), d = given.size(1), k = options_.n_clusters;
  if (n < k)
    throw ValueError(std::string(op) + ": " + std::to_string(n) +
                         " samples for n_clusters = " + std::to_string(k),
                     where);
  Tensor weight = check_sample_weight(op, sample_weight, n, kF64, where);
  if (!weight.defined()) weight = ones({n}, kF64);
  const std::vector<double> weights = weight.to_vector<double>();
  eval(given, where);
  const int64_t batch = std::min(options_.batch_size, n);
  data::Random random(options_.random_state);
  const auto drawn = [&](int64_t count) {
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < count; ++i) rows.push_back(random.below(n));
    return rows;
  };
  const auto tensor_of = [](const std::vector<int64_t>& rows) {
    return from_vector(rows, {static_cast<int64_t>(rows.size())});
  };

  // The best of several beginnings, each on samples of its own.
  const int64_t first = std::min(n, std::max(options_.init_size.value_or(3 * batch), k));
  const bool spread = options_.init == KMeansInit::kKMeansPlusPlus;
  Tensor centers;
  double least = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < options_.n_init.value_or(spread ? 1 : 3); ++i) {
    std::vector<int64_t> rows(static_cast<size_t>(n));
    std::iota(rows.begin(), rows.end(), 0);
    for (int64_t j = 0; j < first; ++j) std::swap(rows[j], rows[j + random.below(n - j)]);
    rows.resize(static_cast<size_t>(first));
    const Tensor sample = take(given, tensor_of(rows));
    KMeans begin({.n_clusters = k,
                  .init = options_.init,
                  .n_init = 1,
                  .max_iter = 1,
                  .random_state = options_.random_state + static_cast<uint64_t>(i)});
    begin.fit(sample);
    if (begin.inertia < least) least = begin.inertia, centers = begin.cluster_centers;
  }

  std::vector<double> mass(static_cast<size_t>(k)), at = cast(centers, kF64).to_vector<double>();
  const int64_t steps = std::max<int64_t>(1, options_.max_iter * n / batch);
  const double rate = std::min(1.0, 2 * static_cast<double>(batch) / static_cast<double>(n + 1));
  double smoothed = 0, best = std::numeric_limits<double>::infinity();
  int64_t since_best = 0, since_drawn = 0, done = 0;
  while (done < steps) {
    const std::vector<int64_t> rows = drawn(batch);
    const Tensor samples = take(given, tensor_of(rows));
    const KMeans now = with_centers(cast(from_vector(at, {k, d}), given.dtype()));
    const Tensor of = now.predict(samples, where), values = cast(samples, kF64);
    eval({of, values}, where);
    const auto label = of.data<int64_t>();
    const double* v = values.data<double>().data();
    std::vector<double> sums(at.size()), more(mass.size());
    double apart = 0, all = 0;
    for (int64_t i = 0; i < batch; ++i) {
      const double w = weights[rows[i]];
      more[label[i]] += w;
      all += w;
      for (int64_t f = 0; f < d; ++f) {
        const double e = v[i * d + f] - at[label[i] * d + f];
        apart += w * e * e;
        sums[label[i] * d + f] += w * v[i * d + f];
      }
    }
    for (int64_t c = 0; c < k; ++c) {
      if (more[c] == 0) continue;
      const double whole = mass[c] + more[c];
      for (int64_t f = 0; f < d; ++f)
        at[c * d + f] = (at[c * d + f] * mass[c] + sums[c * d + f]) / whole;
      mass[c] = whole;
    }
    ++done;
    // Centers that hardly any sample has begin again at a sample.
    since_drawn += batch;
    const double most = *std::max_element(mass.begin(), mass.end());
    if (options_.reassignment_ratio > 0 &&
        (since_drawn >= 10 * k || *std::min_element(mass.begin(), mass.end()) == 0)) {
      since_drawn = 0;
      double kept = most;
      for (const double m : mass)
        if (m >= options_.reassignment_ratio * most) kept = std::min(kept, m);
      int64_t left = batch / 2;
      for (int64_t c = 0; c < k && left > 0; ++c)
        if (mass[c] < options_.reassignment_ratio * most) {
          const int64_t i = random.below(batch);
          std::copy(v + i * d, v + (i + 1) * d, at.begin() + c * d);
          mass[c] = kept;
          --left;
        }
    }
    if (done == 1 || all == 0) continue;  // the first is that of the beginning
    const double inertia_now = apart / static_cast<double>(batch);
    smoothed = done == 2 ? inertia_now : smoothed * (1 - rate) + inertia_now * rate;
    since_best = smoothed < best ? 0 : since_best + 1;
    best = std::min(best, smoothed);
    if (options_.max_no_improvement && since_best >= *options_.max_no_improvement) break;
  }
  const Tensor found = cast(from_vector(at, {k, d}), given.dtype());
  const KMeans last = with_centers(found);
  const Tensor of = last.predict(given, where);
  const double sum = -last.score(given, {}, sample_weight, where);
  eval({found, of}, where);
  cluster_centers = found;
  labels = of;
  inertia = sum;
  n_steps = done;
  n_features_in = d;
  return *this;
}

Tensor MiniBatchKMeans::predict(const Tensor& x, Where where) const {
  require_fitted("MiniBatchKMeans.predict", fitted(), where);
  return with_centers(cluster_centers).predict(x, where);
}

Tensor MiniBatchKMeans::transform(const Tensor& x, Where where) const {
  require_fitted("MiniBatchKMeans.transform", fitted(), where);
  return with_centers(cluster_centers).transform(x, where);
}

double MiniBatchKMeans::score(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                              Where where) const {
  require_fitted("MiniBatchKMeans.score", fitted(), where);
  return with_centers(cluster_centers).score(x, y, sample_weight, where);
}

StateDict MiniBatchKMeans::state_dict(Where where) const {
  require_fitted("MiniBatchKMeans.state_dict", fitted(), where);
  return {{"cluster_centers", cluster_centers},
          {"labels", labels},
          {"inertia", tensor(inertia)},
          {"n_steps", tensor(n_steps)}};
}

void MiniBatchKMeans::load_state_dict(const StateDict& state, Where where) {
  StateReader read("MiniBatchKMeans", state, where);
  const Tensor centers = read.take("cluster_centers", kF64, {options_.n_clusters, -1});
  const Tensor of = read.take("labels", kI64, {-1});
  const double sum = read.number("inertia");
  const int64_t steps = read.count("n_steps");
  read.finish();
  cluster_centers = centers;
  labels = of;
  inertia = sum;
  n_steps = steps;
  n_features_in = centers.size(1);
}

}  // namespace glia::classic
