#include <algorithm>
#include <cmath>

#include "checks.h"
#include "glia/classic/manifold.h"
#include "glia/data.h"
#include "glia/ops.h"
#include "manifold/fuzzy_set.h"
#include "manifold/layout.h"
#include "manifold/places.h"
#include "neighbor_index.h"
#include "randomized.h"

namespace glia::classic {
namespace {

// Within a cube of half this width to begin with, and a little noise, so that none coincide.
constexpr double kReach = 10, kNoise = 1e-4;

Tensor noisy(const Tensor& places, uint64_t seed) {
  const Tensor most = max(abs(places));
  return places * (kReach / where(most > 0, most, 1.0)) +
         normal_numbers(places.shape(), seed + 1) * kNoise;
}

// Without edges that are too weak to be drawn in any epoch.
Graph drawn(const Graph& graph, int64_t epochs) {
  double most = 0;
  for (const double value : graph.values) most = std::max(most, value);
  return graph.at_least(most / static_cast<double>(epochs));
}

std::vector<float> floats(const Tensor& x) { return cast(x, kF32).to_vector<float>(); }

// The k nearest of each sample, itself first, also where others lie at the same place.
KNeighbors with_itself(const Tensor& x, int64_t k, Metric metric, Where where) {
  NearestNeighbors search({.n_neighbors = k, .metric = metric}, where);
  search.fit(x, {}, {}, where);
  const int64_t n = x.size(0);
  if (k == 1) return {zeros({n, 1}, kF64), reshape(arange(n), {n, 1})};
  const KNeighbors others = search.kneighbors({}, k - 1, where);
  KNeighbors all{concat({zeros({n, 1}, kF64), others.distances}, 1),
                 concat({reshape(arange(n), {n, 1}), others.indices}, 1)};
  eval({all.distances, all.indices}, where);
  return all;
}

}  // namespace

std::pair<double, double> find_ab_params(double spread, double min_dist, Where where) {
  if (!(spread > 0) || !std::isfinite(spread) || !(min_dist >= 0) || !(min_dist <= spread))
    throw ValueError("find_ab_params: min_dist = " + to_text(ParamValue(min_dist)) +
                         " is not within 0 and spread = " + to_text(ParamValue(spread)),
                     where);
  constexpr int kPoints = 300;
  const auto fault = [&](double a, double b, double* normal, double* slope) {
    double sum = 0;
    for (int i = 1; i < kPoints; ++i) {  // at 0 both are 1
      const double d = 3 * spread * i / (kPoints - 1);
      const double wanted = d < min_dist ? 1 : std::exp((min_dist - d) / spread);
      const double power = std::pow(d, 2 * b), f = 1 / (1 + a * power), rest = f - wanted;
      const double by_a = -f * f * power, by_b = 2 * a * std::log(d) * by_a;
      sum += rest * rest;
      if (!normal) continue;
      normal[0] += by_a * by_a;
      normal[1] += by_a * by_b;
      normal[2] += by_b * by_b;
      slope[0] += by_a * rest;
      slope[1] += by_b * rest;
    }
    return sum;
  };
  double a = 1, b = 1, damping = 1e-3;  // Levenberg 1944, Marquardt 1963
  for (int step = 0; step < 500; ++step) {
    double normal[3] = {}, slope[2] = {};
    const double now = fault(a, b, normal, slope);
    const double p = normal[0] * (1 + damping), q = normal[1], r = normal[2] * (1 + damping);
    const double down = p * r - q * q;
    const double by_a = (r * slope[0] - q * slope[1]) / down,
                 by_b = (p * slope[1] - q * slope[0]) / down;
    if (std::abs(by_a) <= 1e-14 * a && std::abs(by_b) <= 1e-14 * b) break;
    if (a > by_a && b > by_b && fault(a - by_a, b - by_b, nullptr, nullptr) <= now) {
      a -= by_a;
      b -= by_b;
      damping = std::max(damping / 10, 1e-12);
    } else {
      damping *= 10;
      if (damping > 1e12) break;  // no step is better any more
    }
  }
  return {a, b};
}

UMAP::UMAP(const UMAPOptions& options, Where where) : options_(options) { check_options(where); }

void UMAP::check_options(Where where) const {
  const auto& o = options_;
  const auto require = [&](bool right, const char* name, const ParamValue& value) {
    if (!right) throw ValueError("UMAP: " + std::string(name) + " = " + to_text(value), where);
  };
  const auto positive = [](double x) { return x > 0 && std::isfinite(x); };
  require(o.n_neighbors >= 2, "n_neighbors", o.n_neighbors);
  require(o.n_components >= 1, "n_components", o.n_components);
  require(o.n_epochs.value_or(1) >= 0, "n_epochs", o.n_epochs.value_or(1));
  require(positive(o.learning_rate), "learning_rate", o.learning_rate);
  require(positive(o.spread), "spread", o.spread);
  require(o.min_dist >= 0 && o.min_dist <= o.spread, "min_dist", o.min_dist);
  require(o.set_op_mix_ratio >= 0 && o.set_op_mix_ratio <= 1, "set_op_mix_ratio",
          o.set_op_mix_ratio);
  require(o.local_connectivity >= 0 && o.local_connectivity < 0x1p31, "local_connectivity",
          o.local_connectivity);
  require(o.repulsion_strength >= 0 && std::isfinite(o.repulsion_strength), "repulsion_strength",
          o.repulsion_strength);
  require(o.negative_sample_rate >= 0, "negative_sample_rate", o.negative_sample_rate);
  require(positive(o.a.value_or(1)), "a", o.a.value_or(1));
  require(positive(o.b.value_or(1)), "b", o.b.value_or(1));
  if (o.a.has_value() != o.b.has_value())
    throw ValueError("UMAP: a and b are set together, or neither", where);
}

std::vector<Param> UMAP::params() {
  auto& o = options_;
  return {{"n_neighbors", &o.n_neighbors},
          {"n_components", &o.n_components},
          {"metric", &o.metric, metric_names()},
          {"n_epochs", &o.n_epochs},
          {"learning_rate", &o.learning_rate},
          {"init", &o.init, {"spectral", "random", "pca"}},
          {"min_dist", &o.min_dist},
          {"spread", &o.spread},
          {"set_op_mix_ratio", &o.set_op_mix_ratio},
          {"local_connectivity", &o.local_connectivity},
          {"repulsion_strength", &o.repulsion_strength},
          {"negative_sample_rate", &o.negative_sample_rate},
          {"a", &o.a},
          {"b", &o.b},
          {"random_state", &o.random_state}};
}

UMAP& UMAP::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const char* op = "UMAP.fit";
  check_options(where);
  refuse_sample_weight(op, sample_weight, where);
  const auto& o = options_;
  const Tensor given = check_map_x(op, x, o.metric, where);
  const int64_t n = given.size(0), d = o.n_components;
  if (n < 2) throw ValueError(std::string(op) + ": one sample has no neighbours", where);
  const KNeighbors near = with_itself(given, std::min(o.n_neighbors, n), o.metric, where);
  const Graph graph = fuzzy_set(near, o.local_connectivity, o.set_op_mix_ratio, where);
  const int64_t epochs = o.n_epochs.value_or(n <= 10000 ? 500 : 200);
  const Graph edges = drawn(graph, epochs > 10 ? epochs : n <= 10000 ? 500 : 200);

  Tensor begin;
  if (o.init_embedding.defined()) {
    begin = check_places(op, o.init_embedding, n, d, where);
  } else if (o.init == UmapInit::kRandom) {
    begin = uniform_places(n, d, -kReach, kReach, o.random_state);
  } else if (o.init == UmapInit::kPca) {
    if (o.metric == Metric::kPrecomputed)
      throw ValueError(std::string(op) + ": distances have no init = pca", where);
    begin = noisy(principal_places(op, given, d, o.random_state, where), o.random_state);
  } else {
    begin = noisy(spectral_places(edges, given, d, o.random_state), o.random_state);
  }
  const Tensor low = min(begin, {0}), width = max(begin, {0}) - low;
  std::vector<float> places = floats((begin - low) / glia::where(width > 0, width, 1.0) * kReach);
  const auto [own_a, own_b] =
      o.a && o.b ? std::pair(*o.a, *o.b) : find_ab_params(o.spread, o.min_dist, where);
  lay_out(places, d, edges,
          {.epochs = epochs,
           .a = own_a,
           .b = own_b,
           .learning_rate = o.learning_rate,
           .repulsion = o.repulsion_strength,
           .negatives = o.negative_sample_rate,
           .seed = o.random_state});
  embedding = from_vector(std::vector<double>(places.begin(), places.end()), {n, d});
  fit_x = given;
  graph_starts = from_vector(graph.starts, {n + 1});
  graph_columns = from_vector(std::vector<int64_t>(graph.columns.begin(), graph.columns.end()),
                              {graph.edges()});
  graph_values = from_vector(graph.values, {graph.edges()});
  a = own_a;
  b = own_b;
  n_features_in = given.size(1);
  return *this;
}

Tensor UMAP::transform(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = cast(check_x("UMAP.transform", x, n_features_in, where), kF64);
  const auto& o = options_;
  const int64_t n = embedding.size(0), d = embedding.size(1), rows = given.size(0);
  const int64_t k = std::min(o.n_neighbors, n);
  NearestNeighbors search({.n_neighbors = k, .metric = o.metric}, where);
  KNeighbors near = search.fit(fit_x, {}, {}, where).kneighbors(given, {}, where);
  eval({near.distances, near.indices}, where);
  const std::vector<double> of = memberships(near, std::max(0.0, o.local_connectivity - 1), false);
  Graph graph = Graph::of_neighbors(near.indices, of, where);
  const std::vector<float> others = floats(embedding);
  std::vector<float> places(static_cast<size_t>(rows * d));
  for (int64_t i = 0; i < rows; ++i) {  // the mean of its neighbours' places, or that of its equal
    double total = 0;
    int64_t equal = -1;
    for (int64_t e = graph.starts[i]; e < graph.starts[i + 1]; ++e) {
      total += graph.values[e];
      if (graph.values[e] == 1 && equal < 0) equal = graph.columns[e];
    }
    for (int64_t e = graph.starts[i]; e < graph.starts[i + 1]; ++e)
      for (int64_t c = 0; c < d; ++c) {
        const float at = others[int64_t{graph.columns[e]} * d + c];
        if (equal < 0)
          places[i * d + c] += static_cast<float>(graph.values[e] / total) * at;
        else if (graph.columns[e] == equal)
          places[i * d + c] = at;
      }
  }
  const int64_t epochs = o.n_epochs ? *o.n_epochs / 3 : rows <= 10000 ? 100 : 30;
  if (epochs > 0)
    lay_out(places, d, drawn(graph, epochs),
            {.epochs = epochs,
             .a = a,
             .b = b,
             .learning_rate = o.learning_rate / 4,
             .repulsion = o.repulsion_strength,
             .negatives = o.negative_sample_rate,
             .seed = o.random_state + 2},
            &others);
  return from_vector(std::vector<double>(places.begin(), places.end()), {rows, d});
}

StateDict UMAP::state_dict(Where where) const {
  require_fitted("UMAP.state_dict", fitted(), where);
  return {{"embedding", embedding},
          {"fit_x", fit_x},
          {"graph_starts", graph_starts},
          {"graph_columns", graph_columns},
          {"graph_values", graph_values},
          {"a", tensor(a)},
          {"b", tensor(b)}};
}

void UMAP::load_state_dict(const StateDict& state, Where where) {
  StateReader read("UMAP", state, where);
  const Tensor places = read.take("embedding", kF64, {-1, options_.n_components});
  const int64_t n = places.size(0);
  const Tensor samples = read.take("fit_x", kF64, {n, -1});
  const Tensor starts = read.take("graph_starts", kI64, {n + 1});
  const Tensor columns = read.take("graph_columns", kI64, read.shape_of("graph_columns"));
  const Tensor values = read.take("graph_values", kF64, columns.shape());
  const double own_a = read.number("a"), own_b = read.number("b");
  read.finish();
  const auto at = starts.data<int64_t>();
  if (columns.rank() != 1 || at[0] != 0 || at[n] != columns.size(0) ||
      !std::is_sorted(at.begin(), at.end()) || !all_within(columns, n) || !(own_a > 0) ||
      !(own_b > 0))
    throw Error("UMAP.load_state_dict: its parts do not fit together", where);
  embedding = cast(places, kF64);
  fit_x = cast(samples, kF64);
  graph_starts = starts;
  graph_columns = columns;
  graph_values = cast(values, kF64);
  a = own_a;
  b = own_b;
  n_features_in = samples.size(1);
}

}  // namespace glia::classic
