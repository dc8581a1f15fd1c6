#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "checks.h"
#include "glia/classic/manifold.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "lanczos.h"
#include "manifold/places.h"
#include "neighbor_index.h"
#include "randomized.h"

namespace glia::classic {
namespace {

// Principal axes of distances (n, n): eigenvectors of -1/2 of their squares, centred, each times
// the root of its eigenvalue, and the eigenvalues.
Tensor classical_places(const Tensor& distances, int64_t d, Tensor& eigenvalues) {
  const Tensor squares = square(distances) * -0.5, rows = mean(squares, {0});
  const Eigen found = largest_eigen(squares - rows - unsqueeze(rows, 1) + mean(rows), d);
  const Tensor signed_vectors = found.vectors * transpose(signs_of_rows(transpose(found.vectors)));
  const Tensor places = signed_vectors * sqrt(maximum(found.values, 0.0));
  eval({places, found.values});
  eigenvalues = found.values;
  return places;
}

// The rising sequence that is nearest to `values` in the order of `keys`, where equal keys have one
// value: pool adjacent violators (Kruskal 1964; Barlow et al. 1972).
void rising(const std::vector<double>& keys, const std::vector<int64_t>& order,
            std::vector<double>& values) {
  struct Pool {
    double sum;
    int64_t begin, end;  // of order
    double mean() const { return sum / static_cast<double>(end - begin); }
  };
  std::vector<Pool> pools;
  const auto count = static_cast<int64_t>(order.size());
  for (int64_t i = 0; i < count;) {
    Pool next{0, i, i};
    for (; next.end < count && keys[order[next.end]] == keys[order[i]]; ++next.end)
      next.sum += values[order[next.end]];
    i = next.end;
    while (!pools.empty() && pools.back().mean() >= next.mean()) {
      next.sum += pools.back().sum;
      next.begin = pools.back().begin;
      pools.pop_back();
    }
    pools.push_back(next);
  }
  for (const Pool& pool : pools)
    for (int64_t i = pool.begin; i < pool.end; ++i) values[order[i]] = pool.mean();
}

// The descent of one beginning.
class Smacof {
 public:
  Smacof(const Tensor& wanted, const MDSOptions& options)
      : o_(options), n_(wanted.size(0)), d_(options.n_components) {
    wanted_ = wanted.to_vector<double>();
    if (o_.metric_mds) return;
    for (int64_t i = 0; i < n_; ++i)
      for (int64_t j = i + 1; j < n_; ++j)
        if (wanted_[i * n_ + j] != 0) pairs_.push_back(i * n_ + j);
    for (const int64_t at : pairs_) keys_.push_back(wanted_[at]);
    order_.resize(pairs_.size());
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(),
                     [&](int64_t a, int64_t b) { return keys_[a] < keys_[b]; });
  }

  void run(std::vector<double> begin) {
    y = std::move(begin);
    distances_.resize(static_cast<size_t>(n_ * n_));
    measure();
    double before = 0;
    for (n_iter = 0; n_iter < o_.max_iter;) {
      if (!o_.metric_mds) order_disparities();
      move();
      measure();
      const auto [rest, squares] = faults();
      stress = rest;
      const bool settled = n_iter++ > 0 && (before - stress) / squares < o_.eps;
      before = stress;
      squares_ = squares;
      if (settled) break;
    }
    if (o_.normalized_stress.value_or(!o_.metric_mds))
      stress = squares_ > 0 ? std::sqrt(stress / squares_) : 0;
  }

  std::vector<double> y;
  double stress = 0;
  int64_t n_iter = 0;

 private:
  const std::vector<double>& disparities() const { return o_.metric_mds ? wanted_ : shown_; }

  void measure() {
    parallel_for(n_, [&](int64_t i) {
      for (int64_t j = 0; j < n_; ++j) {
        double sum = 0;
        for (int64_t c = 0; c < d_; ++c)
          sum += (y[i * d_ + c] - y[j * d_ + c]) * (y[i * d_ + c] - y[j * d_ + c]);
        distances_[i * n_ + j] = std::sqrt(sum);
      }
    });
  }
  // Guttman 1968.
  void move() {
    std::vector<double> moved(y.size());
    const std::vector<double>& wanted = disparities();
    parallel_for(n_, [&](int64_t i) {
      double all = 0;
      double* to = &moved[i * d_];
      for (int64_t j = 0; j < n_; ++j) {
        const double apart = distances_[i * n_ + j];
        const double ratio = wanted[i * n_ + j] / (apart == 0 ? 1e-5 : apart);
        all += ratio;
        for (int64_t c = 0; c < d_; ++c) to[c] -= ratio * y[j * d_ + c];
      }
      for (int64_t c = 0; c < d_; ++c)
        to[c] = (to[c] + all * y[i * d_ + c]) / static_cast<double>(n_);
    });
    y = std::move(moved);
  }
  // Half the squared differences from the disparities, and half the squared distances.
  std::pair<double, double> faults() const {
    const std::vector<double>& wanted = disparities();
    std::vector<std::pair<double, double>> sums(static_cast<size_t>(n_));
    parallel_for(n_, [&](int64_t i) {
      for (int64_t j = i * n_; j < (i + 1) * n_; ++j) {
        sums[i].first += (distances_[j] - wanted[j]) * (distances_[j] - wanted[j]) / 2;
        sums[i].second += distances_[j] * distances_[j] / 2;
      }
    });
    std::pair<double, double> all{};
    for (const auto& [rest, squares] : sums) all.first += rest, all.second += squares;
    return all;
  }
  // Numbers in the order of what is wanted that are nearest to the distances, of a fixed length.
  void order_disparities() {
    std::vector<double> values;
    for (const int64_t at : pairs_) values.push_back(n_iter == 0 ? wanted_[at] : distances_[at]);
    if (n_iter > 0) rising(keys_, order_, values);
    double squares = 0;
    for (const double v : values) squares += v * v;
    const double scale =
        squares > 0 ? std::sqrt(static_cast<double>(n_ * (n_ - 1)) / 2 / squares) : 0;
    shown_.assign(static_cast<size_t>(n_ * n_), 0.0);
    for (size_t p = 0; p < pairs_.size(); ++p)
      shown_[pairs_[p]] = shown_[pairs_[p] % n_ * n_ + pairs_[p] / n_] = values[p] * scale;
  }

  const MDSOptions& o_;
  int64_t n_, d_;
  double squares_ = 0;
  std::vector<double> wanted_, shown_, distances_;  // (n, n)
  std::vector<int64_t> pairs_, order_;              // of what is not metric: entries above 0
  std::vector<double> keys_;
};

}  // namespace

// ---- MDS --------------------------------------------------------------------------------------

MDS::MDS(const MDSOptions& options, Where where) : options_(options) { check_options(where); }

void MDS::check_options(Where where) const {
  const auto& o = options_;
  const auto fail = [&](const char* name, const ParamValue& value) {
    throw ValueError("MDS: " + std::string(name) + " = " + to_text(value), where);
  };
  if (o.n_components < 1) fail("n_components", o.n_components);
  if (o.n_init < 1) fail("n_init", o.n_init);
  if (o.max_iter < 1) fail("max_iter", o.max_iter);
  if (!(o.eps >= 0)) fail("eps", o.eps);
}

std::vector<Param> MDS::params() {
  auto& o = options_;
  return {{"n_components", &o.n_components},
          {"metric_mds", &o.metric_mds},
          {"n_init", &o.n_init},
          {"init", &o.init, {"classical_mds", "random"}},
          {"max_iter", &o.max_iter},
          {"eps", &o.eps},
          {"metric", &o.metric, metric_names()},
          {"normalized_stress",
           [&o]() -> ParamValue {
             if (!o.normalized_stress) return {};
             return *o.normalized_stress;
           },
           [&o](const ParamValue& value) {
             const bool* given = std::get_if<bool>(&value);
             if (!given && !std::holds_alternative<std::monostate>(value)) return false;
             o.normalized_stress = given ? std::optional(*given) : std::nullopt;
             return true;
           }},
          {"random_state", &o.random_state}};
}

MDS& MDS::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const char* op = "MDS.fit";
  check_options(where);
  refuse_sample_weight(op, sample_weight, where);
  const auto& o = options_;
  const Tensor given = check_map_x(op, x, o.metric, where);
  const int64_t n = given.size(0), d = o.n_components;
  const Tensor wanted = distances_of(given, o.metric, 2, where);
  eval(wanted, where);
  Tensor begin = o.init_embedding;
  if (begin.defined()) {
    begin = check_places(op, begin, n, d, where);
  } else if (o.init == MdsInit::kClassicalMds) {
    if (d > n)
      throw ValueError(std::string(op) + ": n_components = " + std::to_string(d) + " of " +
                           std::to_string(n) + " samples",
                       where);
    Tensor unused;
    begin = classical_places(wanted, d, unused);
  }
  Smacof descent(wanted, o);
  const int64_t runs = begin.defined() ? 1 : o.n_init;
  double least = std::numeric_limits<double>::infinity();
  Tensor best;
  int64_t iterations = 0;
  for (int64_t i = 0; i < runs; ++i) {
    const Tensor start =
        begin.defined() ? begin
                        : uniform_places(n, d, 0, 1, o.random_state + static_cast<uint64_t>(i));
    descent.run(start.to_vector<double>());
    if (!std::isfinite(descent.stress))
      throw ValueError(std::string(op) + ": squared distances are beyond f64", where);
    if (best.defined() && descent.stress >= least) continue;
    least = descent.stress;
    iterations = descent.n_iter;
    best = from_vector(descent.y, {n, d});
  }
  embedding = best;
  stress = least;
  n_iter = iterations;
  n_features_in = given.size(1);
  return *this;
}

StateDict MDS::state_dict(Where where) const {
  require_fitted("MDS.state_dict", fitted(), where);
  return {{"embedding", embedding},
          {"stress", tensor(stress)},
          {"n_iter", tensor(n_iter)},
          {"n_features_in", tensor(n_features_in)}};
}

void MDS::load_state_dict(const StateDict& state, Where where) {
  StateReader read("MDS", state, where);
  const Tensor places = cast(read.take("embedding", kF64, {-1, options_.n_components}), kF64);
  const double of = read.number("stress");
  const int64_t iterations = read.count("n_iter"), features = read.count("n_features_in");
  read.finish();
  if (features < 1) throw Error("MDS.load_state_dict: n_features_in is 0", where);
  embedding = places;
  stress = of;
  n_iter = iterations;
  n_features_in = features;
}

// ---- ClassicalMDS -----------------------------------------------------------------------------

ClassicalMDS::ClassicalMDS(const ClassicalMDSOptions& options, Where where) : options_(options) {
  check_options(where);
}

void ClassicalMDS::check_options(Where where) const {
  if (options_.n_components < 1)
    throw ValueError("ClassicalMDS: n_components = " + std::to_string(options_.n_components),
                     where);
}

std::vector<Param> ClassicalMDS::params() {
  return {{"n_components", &options_.n_components}, {"metric", &options_.metric, metric_names()}};
}

ClassicalMDS& ClassicalMDS::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight,
                                Where where) {
  const NoGrad no_grad;
  const char* op = "ClassicalMDS.fit";
  check_options(where);
  refuse_sample_weight(op, sample_weight, where);
  const Tensor given = check_map_x(op, x, options_.metric, where);
  if (options_.n_components > given.size(0))
    throw ValueError(std::string(op) + ": n_components = " + std::to_string(options_.n_components) +
                         " of " + std::to_string(given.size(0)) + " samples",
                     where);
  Tensor values;
  embedding = classical_places(distances_of(given, options_.metric, 2, where),
                               options_.n_components, values);
  eigenvalues = values;
  n_features_in = given.size(1);
  return *this;
}

StateDict ClassicalMDS::state_dict(Where where) const {
  require_fitted("ClassicalMDS.state_dict", fitted(), where);
  return {{"embedding", embedding},
          {"eigenvalues", eigenvalues},
          {"n_features_in", tensor(n_features_in)}};
}

void ClassicalMDS::load_state_dict(const StateDict& state, Where where) {
  StateReader read("ClassicalMDS", state, where);
  const Tensor places = cast(read.take("embedding", kF64, {-1, options_.n_components}), kF64);
  const Tensor values = cast(read.take("eigenvalues", kF64, {options_.n_components}), kF64);
  const int64_t features = read.count("n_features_in");
  read.finish();
  if (features < 1) throw Error("ClassicalMDS.load_state_dict: n_features_in is 0", where);
  embedding = places;
  eigenvalues = values;
  n_features_in = features;
}

}  // namespace glia::classic
