#include <algorithm>
#include <cmath>
#include <limits>

#include "checks.h"
#include "glia/classic/manifold.h"
#include "glia/ops.h"
#include "manifold/affinities.h"
#include "manifold/forces.h"
#include "manifold/places.h"
#include "neighbor_index.h"
#include "randomized.h"

namespace glia::classic {
namespace {

constexpr int64_t kExploration = 250;  // iterations with early exaggeration
constexpr int64_t kCheck = 50;         // iterations from one look at the divergence to the next

// Gradient descent with momentum and a gain for each number (Jacobs 1988), as scikit-learn's.
class Descent {
 public:
  Descent(Forces& forces, const TSNEOptions& options, double rate, std::vector<double> y)
      : forces_(forces),
        o_(options),
        rate_(rate),
        y(std::move(y)),
        pull_(this->y.size()),
        push_(this->y.size()) {}

  // Up to `most` iterations in all, or until it is settled.
  void run(int64_t most, double exaggeration, double momentum, int64_t patience) {
    std::vector<double> update(y.size()), gain(y.size(), 1.0);
    const double freedom = static_cast<double>(std::max<int64_t>(o_.n_components - 1, 1));
    const double factor = 2 * (freedom + 1) / freedom;
    double best = std::numeric_limits<double>::max();
    int64_t best_at = iteration;
    for (bool settled = false; iteration < most && !settled; ++iteration) {
      const double total = forces_.compute(y, pull_, push_);
      const bool check = (iteration + 1) % kCheck == 0;
      if (check || iteration == most - 1) divergence = forces_.divergence(y, total);
      double squares = 0;
      for (size_t i = 0; i < y.size(); ++i) {
        double slope = factor * (exaggeration * pull_[i] - push_[i] / total);
        gain[i] = std::max(update[i] * slope < 0 ? gain[i] + 0.2 : gain[i] * 0.8, 0.01);
        slope *= gain[i];
        update[i] = momentum * update[i] - rate_ * slope;
        y[i] += update[i];
        squares += slope * slope;
      }
      if (!check) continue;
      settled = std::sqrt(squares) <= o_.min_grad_norm;
      if (divergence < best) {
        best = divergence;
        best_at = iteration;
      } else if (iteration - best_at > patience) {
        settled = true;
      }
    }
  }

 private:
  Forces& forces_;
  const TSNEOptions& o_;
  double rate_;

 public:
  std::vector<double> y;
  int64_t iteration = 0;
  double divergence = 0;

 private:
  std::vector<double> pull_, push_;
};

// P of all pairs, dense: the mean of both conditional ones.
std::vector<double> joint_dense(const Tensor& distances, double perplexity) {
  const int64_t n = distances.size(0);
  const auto d = distances.data<double>();
  std::vector<double> others;
  others.reserve(static_cast<size_t>(n * (n - 1)));
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      if (j != i) others.push_back(d[i * n + j] * d[i * n + j]);
  const std::vector<double> given = neighbor_probabilities(others.data(), n, n - 1, perplexity);
  std::vector<double> p(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      if (j != i)
        p[i * n + j] = (given[i * (n - 1) + j - (j > i)] + given[j * (n - 1) + i - (i > j)]) /
                       static_cast<double>(2 * n);
  return p;
}

// The same of the nearest ones.
Graph joint_sparse(const Tensor& x, const TSNEOptions& o, Where where) {
  const int64_t n = x.size(0);
  const auto k = static_cast<int64_t>(
      std::min<double>(static_cast<double>(n - 1), std::floor(3 * o.perplexity + 1)));
  NearestNeighbors search({.n_neighbors = k, .metric = o.metric}, where);
  const KNeighbors near = search.fit(x, {}, {}, where).kneighbors({}, {}, where);
  const Tensor squares = square(near.distances);
  Graph given = Graph::of_neighbors(
      near.indices, neighbor_probabilities(squares.data<double>().data(), n, k, o.perplexity),
      where);
  return given.united([&](double a, double b) { return (a + b) / static_cast<double>(2 * n); });
}

}  // namespace

TSNE::TSNE(const TSNEOptions& options, Where where) : options_(options) { check_options(where); }

void TSNE::check_options(Where where) const {
  const auto& o = options_;
  const auto require = [&](bool right, const char* name, const ParamValue& value) {
    if (!right) throw ValueError("TSNE: " + std::string(name) + " = " + to_text(value), where);
  };
  const auto finite = [](double x) { return std::isfinite(x); };
  require(o.n_components >= 1, "n_components", o.n_components);
  require(o.perplexity > 1 && finite(o.perplexity), "perplexity", o.perplexity);
  require(o.early_exaggeration >= 1 && finite(o.early_exaggeration), "early_exaggeration",
          o.early_exaggeration);
  const double rate = o.learning_rate.value_or(1);
  require(rate > 0 && finite(rate), "learning_rate", rate);
  require(o.max_iter >= kExploration, "max_iter", o.max_iter);
  require(o.n_iter_without_progress >= 0, "n_iter_without_progress", o.n_iter_without_progress);
  require(o.min_grad_norm >= 0, "min_grad_norm", o.min_grad_norm);
  require(o.angle >= 0 && o.angle <= 1, "angle", o.angle);
  if (o.method == TsneMethod::kBarnesHut && o.n_components > 3)
    throw ValueError("TSNE: method = barnes_hut has at most 3 n_components, exact any number",
                     where);
}

std::vector<Param> TSNE::params() {
  auto& o = options_;
  return {{"n_components", &o.n_components},
          {"perplexity", &o.perplexity},
          {"early_exaggeration", &o.early_exaggeration},
          {"learning_rate", &o.learning_rate},
          {"max_iter", &o.max_iter},
          {"n_iter_without_progress", &o.n_iter_without_progress},
          {"min_grad_norm", &o.min_grad_norm},
          {"metric", &o.metric, metric_names()},
          {"init", &o.init, {"pca", "random"}},
          {"method", &o.method, {"barnes_hut", "exact"}},
          {"angle", &o.angle},
          {"random_state", &o.random_state}};
}

TSNE& TSNE::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const char* op = "TSNE.fit";
  check_options(where);
  refuse_sample_weight(op, sample_weight, where);
  const auto& o = options_;
  const Tensor given = check_map_x(op, x, o.metric, where);
  const int64_t n = given.size(0), d = o.n_components;
  if (o.perplexity >= static_cast<double>(n))
    throw ValueError(std::string(op) + ": perplexity = " + to_text(ParamValue(o.perplexity)) +
                         " is not below the " + std::to_string(n) + " samples",
                     where);
  Tensor begin;
  if (o.init_embedding.defined()) {
    begin = check_places(op, o.init_embedding, n, d, where);
  } else if (o.init == MapInit::kRandom) {
    begin = normal_numbers({n, d}, o.random_state) * 1e-4;
  } else if (o.metric == Metric::kPrecomputed) {
    throw ValueError(std::string(op) + ": distances have no init = pca; take random", where);
  } else {
    begin = principal_places(op, given, d, o.random_state, where);
    const Tensor spread = sqrt(var(slice(begin, 1, Slice{0, 1}), {}, false, 0));
    begin = begin / glia::where(spread > 0, spread, 1.0) * 1e-4;
  }
  const double rate =
      o.learning_rate.value_or(std::max(static_cast<double>(n) / o.early_exaggeration / 4, 50.0));

  Graph sparse;
  std::unique_ptr<Forces> forces;
  if (o.method == TsneMethod::kExact) {
    const Tensor distances = distances_of(given, o.metric, 2, where);
    eval(distances, where);
    forces = exact_forces(joint_dense(distances, o.perplexity), n, d);
  } else {
    sparse = joint_sparse(given, o, where);
    forces = barnes_hut_forces(sparse, d, o.angle);
  }
  Descent descent(*forces, o, rate, begin.to_vector<double>());
  descent.run(kExploration, o.early_exaggeration, 0.5, kExploration);
  if (descent.iteration < kExploration || o.max_iter > kExploration)
    descent.run(o.max_iter, 1, 0.8, o.n_iter_without_progress);
  const auto finite = [](double v) { return std::isfinite(v); };
  if (!std::all_of(descent.y.begin(), descent.y.end(), finite))
    throw ValueError(std::string(op) + ": it diverged: learning_rate is too large", where);
  embedding = from_vector(descent.y, {n, d});
  kl_divergence = descent.divergence;
  learning_rate = rate;
  n_iter = descent.iteration;
  n_features_in = given.size(1);
  return *this;
}

StateDict TSNE::state_dict(Where where) const {
  require_fitted("TSNE.state_dict", fitted(), where);
  return {{"embedding", embedding},
          {"kl_divergence", tensor(kl_divergence)},
          {"learning_rate", tensor(learning_rate)},
          {"n_iter", tensor(n_iter)},
          {"n_features_in", tensor(n_features_in)}};
}

void TSNE::load_state_dict(const StateDict& state, Where where) {
  StateReader read("TSNE", state, where);
  const Tensor places = read.take("embedding", kF64, {-1, options_.n_components});
  const double divergence = read.number("kl_divergence"), rate = read.number("learning_rate");
  const int64_t iterations = read.count("n_iter"), features = read.count("n_features_in");
  read.finish();
  if (features < 1) throw Error("TSNE.load_state_dict: n_features_in is 0", where);
  embedding = cast(places, kF64);
  kl_divergence = divergence;
  learning_rate = rate;
  n_iter = iterations;
  n_features_in = features;
}

}  // namespace glia::classic
