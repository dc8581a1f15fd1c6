#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>

#include "checks.h"
#include "elkan.h"
#include "glia/classic/cluster.h"
#include "glia/data.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "screen.h"
#include "simd.h"

namespace glia::classic {
namespace {

// Distances to centers are computed for so many rows at once that they stay near this many.
constexpr int64_t kBlockElements = int64_t{1} << 19;

std::vector<Tensor> row_blocks(const Tensor& x, int64_t n_clusters) {
  const int64_t n = x.size(0);
  return split(x, std::min(n, std::max<int64_t>(kBlockElements / n_clusters, 256)));
}

// Squared distances to centers but for each sample's own square: (N, K).
Tensor partial_distances(const Tensor& x, const Tensor& centers) {
  return matmul(x, transpose(centers * -2)) + sum(square(centers), {1});
}

// Of each row of x its squared distance to the row of `centers` that `labels` names, or to 0 where
// there are none, (N) f64.
template <class T>
Tensor squared_distances(const Tensor& x, const Tensor& centers, const Tensor& labels) {
  constexpr int64_t kRows = 1024;
  const int64_t n = x.size(0), d = x.size(1);
  const std::vector<T> origin(static_cast<size_t>(d));
  const T* of = x.data<T>().data();
  const T* center = centers.defined() ? centers.data<T>().data() : origin.data();
  const int64_t* label = labels.defined() ? labels.data<int64_t>().data() : nullptr;
  std::vector<double> distances(static_cast<size_t>(n));
  parallel_for((n + kRows - 1) / kRows, [&](int64_t block) {
    for (int64_t i = block * kRows; i < std::min(n, (block + 1) * kRows); ++i)
      distances[i] = simd::squared_distance(of + i * d, center + (label ? label[i] * d : 0), d);
  });
  return from_vector(distances, {n});
}
Tensor own_distances(const Tensor& x, const Tensor& centers, const Tensor& labels) {
  return x.dtype() == kF64 ? squared_distances<double>(x, centers, labels)
                           : squared_distances<float>(x, centers, labels);
}
Tensor squares(const Tensor& x) { return own_distances(x, {}, {}); }

// The nearest center of each sample, the first of equally near ones, by reductions that run where
// the product does. Of f64, the product is one in f32, and only samples that have a second center
// within its error are looked at again.
class Nearest {
 public:
  Nearest(const Tensor& x, int64_t n_clusters) : x_(x) {
    if (x.dtype() != kF64) {
      blocks_ = row_blocks(x, n_clusters);
      return;
    }
    const Tensor lengths_of = sqrt(unsqueeze(squares(x), 1));
    const double most = max(lengths_of).item();
    if (most > 0) std::frexp(most, &exponent_);  // brings all within the unit ball
    const double scale = std::ldexp(1, -exponent_);
    Tensor narrow = cast(x * scale, kF32), lengths = cast(lengths_of * scale, kF32);
    eval({narrow, lengths});
    blocks_ = row_blocks(narrow, n_clusters);
    lengths_ = row_blocks(lengths, n_clusters);
  }

  Tensor operator()(const Tensor& centers) const {
    const int64_t k = centers.size(0);
    const bool wide = x_.dtype() == kF64;
    const Tensor position = arange(0, k, 1, k > 1 << 24 ? kF64 : kF32);
    Tensor scaled = centers, reach;
    if (wide) {
      scaled = cast(centers * std::ldexp(1, -exponent_), kF32);
      reach = sqrt(max(sum(square(scaled), {1})));
    }
    std::vector<Tensor> labels, doubts;
    for (size_t i = 0; i < blocks_.size(); ++i) {
      const Tensor distances = partial_distances(blocks_[i], scaled);
      const Tensor least = min(distances, {1}, true);
      labels.push_back(cast(min(where(distances == least, position, k - 1), {1}), kI64));
      if (wide) {
        const Tensor bound = square(lengths_[i] + reach) * (2 * product_error(x_.size(1)));
        doubts.push_back(sum(cast(distances <= least + bound, kF32), {1}) > 1.5);
        eval({labels.back(), doubts.back()});  // one product at a time stays in cache
      }
    }
    const Tensor found = concat(labels);
    if (!wide) return found;
    const Tensor doubtful = concat(doubts);
    eval({found, doubtful});
    return settled(found, doubtful, centers);
  }

 private:
  // Looks at doubtful samples again, in f64.
  Tensor settled(const Tensor& found, const Tensor& doubtful, const Tensor& centers) const {
    std::vector<int64_t> rows;
    const auto doubt = doubtful.data<bool>();
    for (size_t i = 0; i < doubt.size(); ++i)
      if (doubt[i]) rows.push_back(static_cast<int64_t>(i));
    if (rows.empty()) return found;
    std::vector<int64_t> labels = found.to_vector<int64_t>();
    const Tensor some = take(x_, from_vector(rows, {static_cast<int64_t>(rows.size())}));
    std::vector<Tensor> again;
    for (const Tensor& block : row_blocks(some, centers.size(0)))
      again.push_back(argmin(partial_distances(block, centers), 1));
    const std::vector<int64_t> right = concat(again).to_vector<int64_t>();
    for (size_t i = 0; i < rows.size(); ++i) labels[rows[i]] = right[i];
    return from_vector(labels, found.shape());
  }

  Tensor x_;
  std::vector<Tensor> blocks_, lengths_;
  int exponent_ = 0;  // of f64: the power of two that samples are divided by
};

double weighted_sum(const Tensor& distances, const Tensor& weight) {
  const Tensor d = cast(distances, kF64);
  return (weight.defined() ? sum(d * weight) : sum(d)).item();
}

// The samples without what they have in common, which would only cost digits: X - shift. Throws
// ValueError if squares of them are beyond the dtype.
Tensor centred(const char* op, const Tensor& x, const Tensor& shift, Where where) {
  Tensor y = x - shift;
  eval(y);
  const double most = y.dtype() == kF64 ? std::numeric_limits<double>::max()
                                        : static_cast<double>(std::numeric_limits<float>::max());
  if (!(max(squares(y)).item() <= most / 4))
    throw ValueError(std::string(op) + ": squared distances are beyond " + name(y.dtype()), where);
  return y;
}

// ---- Where to begin ---------------------------------------------------------------------------

double uniform(data::Random& random) {  // in [0, 1), 53 bits
  const uint64_t high = random.bits();
  return static_cast<double>(high << 21 | random.bits() >> 11) * 0x1p-53;
}

std::vector<double> running_sums(const std::vector<double>& x) {
  std::vector<double> sums(x.size());
  std::partial_sum(x.begin(), x.end(), sums.begin());
  return sums;
}

// The first position whose running sum is beyond a share of the whole: drawn in proportion.
int64_t draw(const std::vector<double>& sums, double share) {
  const auto at = std::upper_bound(sums.begin(), sums.end(), share * sums.back());
  const auto last = std::lower_bound(sums.begin(), sums.end(), sums.back());  // that has a part
  return std::min(at, last) - sums.begin();
}

// Samples drawn by their weight, each once (Efraimidis & Spirakis 2006); of weight 0 come last.
Tensor random_samples(const std::vector<double>& weight, int64_t k, data::Random& random) {
  std::vector<std::pair<double, int64_t>> keys;
  for (size_t i = 0; i < weight.size(); ++i) {
    const double wait = -std::log1p(-uniform(random));
    keys.emplace_back(weight[i] > 0 ? wait / weight[i] : std::numeric_limits<double>::infinity(),
                      i);
  }
  std::partial_sort(keys.begin(), keys.begin() + k, keys.end());
  std::vector<int64_t> drawn;
  for (int64_t i = 0; i < k; ++i) drawn.push_back(keys[i].second);
  return from_vector(drawn, {k});
}

// k-means++ with several candidates for each center, of which the one is kept that leaves least.
Tensor plus_plus(const Tensor& x, const std::vector<double>& weight, int64_t k,
                 data::Random& random) {
  const int64_t n = x.size(0);
  const int64_t trials = 2 + static_cast<int64_t>(std::log(static_cast<double>(k)));
  const Tensor across = transpose(x), norms = sum(square(x), {1});  // (D, N), (N)
  const Tensor weights = cast(from_vector(weight, {n}), x.dtype());
  const auto distances = [&](const std::vector<int64_t>& samples) {  // (len(samples), N)
    const Tensor centers = take(x, from_vector(samples, {static_cast<int64_t>(samples.size())}));
    const Tensor rest = matmul(centers * -2, across) + sum(square(centers), {1}, true);
    return maximum(rest + norms, 0);
  };

  std::vector<int64_t> chosen{draw(running_sums(weight), uniform(random))};
  Tensor closest = distances(chosen);  // (1, N)
  while (static_cast<int64_t>(chosen.size()) < k) {
    const std::vector<double> sums = running_sums((closest * weights).to_vector<double>());
    std::vector<int64_t> candidates;
    for (int64_t t = 0; t < trials; ++t) candidates.push_back(draw(sums, uniform(random)));
    const Tensor left = minimum(closest, distances(candidates));  // (trials, N)
    const Tensor best = argmin(sum(left * weights, {1}), 0);
    closest = take(left, reshape(best, {1}));
    eval({best, closest});
    chosen.push_back(candidates[best.item<int64_t>()]);
  }
  return from_vector(chosen, {k});
}

// ---- One run ----------------------------------------------------------------------------------

struct Run {
  Tensor centers, labels;
  double inertia = 0;
  int64_t n_iter = 0;
};

// Samples that are clustered, and how.
struct Problem {
  Tensor x;       // (N, D)
  Tensor weight;  // (N); undefined: 1 each
  int64_t k;
  int64_t max_iter;
  double tol;  // of the squared way of all centers
  KMeansAlgorithm algorithm;
};

// Finds the nearest of centers for all samples.
using Assign = std::function<Tensor(const Tensor& centers)>;

template <class T>
Assign elkan(const Tensor& x, int64_t k) {
  auto search = std::make_shared<Elkan<T>>(x.data<T>(), x.size(1), k);
  return [=](const Tensor& centers) {
    return from_vector(search->nearest(centers.data<T>()), {x.size(0)});
  };
}

// Gives each empty cluster one of the samples that are farthest from their centers.
template <class T>
void relocate_empty(const Problem& p, const Tensor& centers, const Tensor& labels,
                    std::vector<double>& sums, std::vector<double>& weights) {
  const auto [distances, farthest] = sort(own_distances(p.x, centers, labels), 0, true);
  eval({distances, farthest});
  if (distances.data<double>()[0] == 0) return;  // there are fewer different samples than clusters
  const std::span<const T> x = p.x.data<T>();
  const int64_t d = p.x.size(1);
  const std::vector<double> before = weights;
  int64_t rank = 0;
  for (int64_t j = 0; j < p.k; ++j) {
    if (before[j] != 0) continue;
    const int64_t i = farthest.data<int64_t>()[rank++], old = labels.data<int64_t>()[i];
    const double weight = p.weight.defined() ? p.weight.data<T>()[i] : 1;
    for (int64_t f = 0; f < d; ++f) {
      sums[j * d + f] = weight * x[i * d + f];
      sums[old * d + f] -= sums[j * d + f];
    }
    weights[j] = weight;
    weights[old] -= weight;
    if (weights[old] <= 1e-15 * before[old]) weights[old] = 0;  // what only rounding has left
  }
}

// The weighted mean of each cluster's samples, (K, D), summed in f64. Centers of clusters that stay
// empty are that of the heaviest one.
template <class T>
Tensor means(const Problem& p, const Tensor& centers, const Tensor& labels) {
  const int64_t n = p.x.size(0), d = p.x.size(1);
  std::vector<double> sums(static_cast<size_t>(p.k * d)), weights(static_cast<size_t>(p.k));
  const T* x = p.x.data<T>().data();
  const T* weight = p.weight.defined() ? p.weight.data<T>().data() : nullptr;
  const std::span<const int64_t> label = labels.data<int64_t>();
  // In at most 16 parts, which are added in their order.
  const int64_t rows = std::max<int64_t>((n + 15) / 16, 4 * p.k), parts = (n + rows - 1) / rows;
  std::vector<std::vector<double>> of_part(static_cast<size_t>(parts));
  parallel_for(parts, [&](int64_t part) {
    std::vector<double>& own = of_part[part];
    own.resize(sums.size() + weights.size());
    for (int64_t i = part * rows; i < std::min(n, (part + 1) * rows); ++i) {
      const double w = weight ? weight[i] : 1;
      own[sums.size() + label[i]] += w;
      simd::add(&own[label[i] * d], w, x + i * d, d);
    }
  });
  for (const std::vector<double>& own : of_part) {
    simd::add(sums.data(), 1, own.data(), p.k * d);
    simd::add(weights.data(), 1, own.data() + p.k * d, p.k);
  }
  if (std::find(weights.begin(), weights.end(), 0) != weights.end())
    relocate_empty<T>(p, centers, labels, sums, weights);
  const int64_t heaviest = std::max_element(weights.begin(), weights.end()) - weights.begin();
  std::vector<T> result(sums.size());
  for (int64_t j = 0; j < p.k; ++j) {
    const int64_t of = weights[j] > 0 ? j : heaviest;
    for (int64_t f = 0; f < d; ++f)
      result[j * d + f] = static_cast<T>(sums[of * d + f] / weights[of]);
  }
  return from_vector(result, {p.k, d});
}

Run run(const Problem& p, Tensor centers) {
  const bool wide = p.x.dtype() == kF64;
  const bool bounds = p.algorithm == KMeansAlgorithm::kElkan;
  const Assign assign = !bounds ? Assign(Nearest(p.x, p.k))
                        : wide  ? elkan<double>(p.x, p.k)
                                : elkan<float>(p.x, p.k);

  Run r{.labels = full({p.x.size(0)}, -1, kI64)};
  bool settled = false;
  while (!settled && r.n_iter < p.max_iter) {
    ++r.n_iter;
    const Tensor labels = assign(centers), changed = any(labels != r.labels);
    eval({labels, changed});
    const Tensor moved =
        wide ? means<double>(p, centers, labels) : means<float>(p, centers, labels);
    const double way = sum(square(moved - centers)).item();
    centers = moved;
    r.labels = labels;
    settled = !changed.item<bool>();
    if (!settled && way <= p.tol) break;
  }
  if (!settled) r.labels = assign(centers);  // those of the centers as they are now
  r.centers = centers;
  r.inertia = weighted_sum(own_distances(p.x, centers, r.labels), p.weight);
  return r;
}

}  // namespace

// ---- KMeans -----------------------------------------------------------------------------------

KMeans::KMeans(const KMeansOptions& options, Where where) : options_(options) {
  check_options(where);
}

void KMeans::check_options(Where where) const {
  const KMeansOptions& options = options_;
  const auto require = [&](bool right, const char* name, const auto& value) {
    if (!right)
      throw ValueError("KMeans: " + std::string(name) + " = " + std::to_string(value), where);
  };
  require(options.n_clusters >= 1, "n_clusters", options.n_clusters);
  require(options.n_init.value_or(1) >= 1, "n_init", options.n_init.value_or(1));
  require(options.max_iter >= 1, "max_iter", options.max_iter);
  require(options.tol >= 0 && std::isfinite(options.tol), "tol", options.tol);
}

std::vector<Param> KMeans::params() {
  return {{"n_clusters", &options_.n_clusters},
          {"init", &options_.init, {"k-means++", "random"}},
          {"n_init", &options_.n_init},
          {"max_iter", &options_.max_iter},
          {"tol", &options_.tol},
          {"random_state", &options_.random_state},
          {"algorithm", &options_.algorithm, {"lloyd", "elkan"}}};
}

KMeans& KMeans::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight,
                    Where where) {
  const char* op = "KMeans.fit";
  check_options(where);
  const NoGrad no_grad;
  const Autocast full_precision(kF32);
  const Tensor given = check_x(op, x, where);
  const int64_t n = given.size(0), d = given.size(1), k = options_.n_clusters;
  if (n < k)
    throw ValueError(std::string(op) + ": " + std::to_string(n) +
                         " samples for n_clusters = " + std::to_string(k),
                     where);
  const Tensor mean = glia::mean(given, {0});
  Problem problem{.x = centred(op, given, mean, where),
                  .weight = check_sample_weight(op, sample_weight, n, given.dtype(), where),
                  .k = k,
                  .max_iter = options_.max_iter,
                  .tol = 0,
                  .algorithm = k > 1 ? options_.algorithm : KMeansAlgorithm::kLloyd};
  if (options_.tol > 0)
    problem.tol = options_.tol * glia::mean(glia::var(given, {0}, false, 0)).item();
  eval(problem.x);

  Tensor begin = options_.init_centers;
  if (begin.defined()) {
    begin = check_x("KMeans.fit: init_centers", begin, where);
    if (begin.shape() != Shape{k, d})
      throw ShapeError(std::string(op) + ": init_centers is " + begin.shape().str() + ", not " +
                           Shape{k, d}.str(),
                       where);
    begin = centred("KMeans.fit: init_centers", cast(begin, given.dtype()), mean, where);
  }
  const bool random_init = options_.init == KMeansInit::kRandom;
  const int64_t runs = begin.defined() ? 1 : options_.n_init.value_or(random_init ? 10 : 1);
  std::vector<double> weight(static_cast<size_t>(n), 1);  // for drawing: of any scale
  if (problem.weight.defined()) weight = (problem.weight / max(problem.weight)).to_vector<double>();
  data::Random random(options_.random_state);
  Run best;
  for (int64_t i = 0; i < runs; ++i) {
    Tensor start = begin;
    if (!start.defined())
      start = take(problem.x, random_init ? random_samples(weight, k, random)
                                          : plus_plus(problem.x, weight, k, random));
    Run r = run(problem, start);
    if (!std::isfinite(r.inertia))
      throw ValueError(std::string(op) + ": weighted squared distances are beyond f64", where);
    if (i == 0 || r.inertia < best.inertia) best = std::move(r);
  }
  const Tensor centers = best.centers + mean;
  eval({centers, best.labels}, where);

  cluster_centers = centers;
  labels = best.labels;
  inertia = best.inertia;
  n_iter = best.n_iter;
  n_features_in = d;
  return *this;
}

Tensor KMeans::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Autocast full_precision(kF32);
  const Tensor given = check_x("KMeans.predict", x, n_features_in, where);
  const Tensor shift = mean(cluster_centers, {0});
  const Tensor samples = centred("KMeans.predict", given, shift, where);
  return Nearest(samples, options_.n_clusters)(cluster_centers - shift);
}

Tensor KMeans::transform(const Tensor& x, Where where) const {
  const Autocast full_precision(kF32);
  const Tensor given = check_x("KMeans.transform", x, n_features_in, where);
  const Tensor shift = mean(cluster_centers, {0});
  const Tensor samples = centred("KMeans.transform", given, shift, where);
  const Tensor rest = partial_distances(samples, cluster_centers - shift);
  return sqrt(maximum(rest + sum(square(samples), {1}, true), 0));
}

double KMeans::score(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight,
                     Where where) const {
  const NoGrad no_grad;
  const Tensor given = check_x("KMeans.score", x, n_features_in, where);
  const Tensor weight =
      check_sample_weight("KMeans.score", sample_weight, given.size(0), given.dtype(), where);
  return -weighted_sum(own_distances(given, cluster_centers, predict(x, where)), weight);
}

StateDict KMeans::state_dict(Where where) const {
  require_fitted("KMeans.state_dict", fitted(), where);
  return {{"cluster_centers", cluster_centers},
          {"labels", labels},
          {"inertia", tensor(inertia)},
          {"n_iter", tensor(n_iter)}};
}

void KMeans::load_state_dict(const StateDict& state, Where where) {
  StateReader read("KMeans", state, where);
  const Tensor centers = read.take("cluster_centers", kF64, {options_.n_clusters, -1});
  const Tensor of_samples = read.take("labels", kI64, {-1});
  const double sum = read.number("inertia");
  const int64_t iterations = read.count("n_iter");
  read.finish();
  cluster_centers = centers;
  labels = of_samples;
  inertia = sum;
  n_iter = iterations;
  n_features_in = centers.size(1);
}

}  // namespace glia::classic
