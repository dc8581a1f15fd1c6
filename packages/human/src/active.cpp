#include "glia/human/active.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "glia/data/source.h"
#include "glia/op.h"
#include "glia/ops.h"

namespace glia::human {
namespace {

Tensor checked(const char* op, const Tensor& p, int rank) {
  const Where where = Where::current();
  require_defined(op, p, where);
  if (p.rank() != rank || p.size(-1) < 1)
    fail(op,
         std::string("probabilities are ") + (rank == 2 ? "" : "(draws, ") +
             (rank == 2 ? "(N, classes)" : "N, classes)") + ", not " + p.shape().str(),
         where);
  return cast(p, kF64);
}

Tensor entropy_of(const Tensor& p) { return -sum(p * log(glia::where(p > 0, p, 1)), {-1}); }

Tensor positions(const std::vector<int64_t>& of) {
  return from_vector(of, {static_cast<int64_t>(of.size())});
}

void check_k(const char* op, int64_t k, int64_t n, const Where& where) {
  if (k < 0 || k > n)
    throw ValueError(
        std::string(op) + ": " + std::to_string(k) + " of " + std::to_string(n) + " samples",
        where);
}

// Squared distances of rows to one row.
std::vector<double> distances(const std::vector<double>& rows, size_t width, const double* to) {
  std::vector<double> out(width ? rows.size() / width : 0);
  for (size_t i = 0; i < out.size(); ++i) {
    double total = 0;
    for (size_t d = 0; d < width; ++d) {
      const double off = rows[i * width + d] - to[d];
      total += off * off;
    }
    out[i] = total;
  }
  return out;
}

struct Rows {
  std::vector<double> values;
  size_t count, width;
  Rows(const char* op, const Tensor& t, const Where& where) {
    require_defined(op, t, where);
    if (t.rank() != 2) fail(op, "samples are (N, D), not " + t.shape().str(), where);
    values = t.to_vector<double>();
    count = static_cast<size_t>(t.size(0));
    width = static_cast<size_t>(t.size(1));
  }
  const double* row(size_t i) const { return values.data() + i * width; }
};

// The squared distance of each of the pool to the nearest of the others; infinite if there are
// none.
std::vector<double> nearest(const Rows& pool, const Rows& others) {
  std::vector<double> out(pool.count, INFINITY);
  for (size_t j = 0; j < others.count; ++j) {
    const auto d = distances(pool.values, pool.width, others.row(j));
    for (size_t i = 0; i < out.size(); ++i) out[i] = std::min(out[i], d[i]);
  }
  return out;
}

// One after another the best by `value(i)`, after which distances shrink.
template <class F>
Tensor one_by_one(const Rows& pool, std::vector<double> least, int64_t k, F&& value) {
  std::vector<int64_t> chosen;
  std::vector<bool> taken(pool.count, false);
  for (int64_t c = 0; c < k; ++c) {
    size_t best = pool.count;
    double most = -INFINITY;
    for (size_t i = 0; i < pool.count; ++i)
      if (!taken[i])
        if (const double v = value(i, least[i], c); best == pool.count || v > most) {
          best = i;
          most = v;
        }
    taken[best] = true;
    chosen.push_back(static_cast<int64_t>(best));
    const auto d = distances(pool.values, pool.width, pool.row(best));
    for (size_t i = 0; i < least.size(); ++i) least[i] = std::min(least[i], d[i]);
  }
  return positions(chosen);
}

}  // namespace

Tensor uncertainty(const Tensor& probabilities) {
  return 1 - max(checked("uncertainty", probabilities, 2), {1});
}

Tensor margin(const Tensor& probabilities) {
  const Tensor p = checked("margin", probabilities, 2);
  if (p.size(1) == 1) return 1 - index(p, {Slice{}, 0});
  const Tensor two = topk(p, 2, 1).first;
  return 1 - (index(two, {Slice{}, 0}) - index(two, {Slice{}, 1}));
}

Tensor entropy(const Tensor& probabilities) {
  return entropy_of(checked("entropy", probabilities, 2));
}

Tensor bald(const Tensor& probabilities) {
  const Tensor p = checked("bald", probabilities, 3);
  return entropy_of(mean(p, {0})) - mean(entropy_of(p), {0});
}

Tensor vote_entropy(const Tensor& probabilities) {
  const Tensor p = checked("vote_entropy", probabilities, 3);
  return entropy_of(mean(one_hot(argmax(p, 2), p.size(2), kF64), {0}));
}

Tensor most_informative(const Tensor& scores, int64_t k, Where where) {
  require_defined("most_informative", scores, where);
  if (scores.rank() != 1)
    fail("most_informative", "scores are (N), not " + scores.shape().str(), where);
  check_k("most_informative", k, scores.size(0), where);
  return slice(argsort(scores, 0, true), 0, {0, k});
}

Tensor k_center_greedy(const Tensor& pool, const Tensor& labelled, int64_t k, Where where) {
  constexpr const char* kOp = "k_center_greedy";
  const Rows rows(kOp, pool, where), others(kOp, labelled, where);
  check_k(kOp, k, pool.size(0), where);
  if (others.count > 0 && others.width != rows.width)
    fail(kOp, "pool " + pool.shape().str() + " and labelled " + labelled.shape().str(), where);
  return one_by_one(rows, nearest(rows, others), k,
                    [](size_t, double distance, int64_t) { return distance; });
}

Tensor ranked_batch(const Tensor& scores, const Tensor& pool, const Tensor& labelled, int64_t k,
                    Where where) {
  constexpr const char* kOp = "ranked_batch";
  const Rows rows(kOp, pool, where), others(kOp, labelled, where);
  check_k(kOp, k, pool.size(0), where);
  if ((others.count > 0 && others.width != rows.width) || scores.shape() != Shape{pool.size(0)})
    fail(kOp,
         "scores " + scores.shape().str() + ", pool " + pool.shape().str() + " and labelled " +
             labelled.shape().str(),
         where);
  const auto value = scores.to_vector<double>();
  return one_by_one(rows, nearest(rows, others), k, [&](size_t i, double distance, int64_t c) {
    const auto left = static_cast<double>(pool.size(0) - c);
    const double alpha = left / (left + static_cast<double>(others.count) + static_cast<double>(c));
    return alpha * (1 - 1 / (1 + std::sqrt(distance))) + (1 - alpha) * value[i];
  });
}

Tensor badge(const Tensor& probabilities, const Tensor& features, int64_t k, uint64_t seed,
             Where where) {
  constexpr const char* kOp = "badge";
  const Tensor p = checked(kOp, probabilities, 2);
  if (features.rank() != 2 || features.size(0) != p.size(0))
    fail(kOp, "features " + features.shape().str() + " of probabilities " + p.shape().str(), where);
  check_k(kOp, k, p.size(0), where);
  // Of the cross-entropy with the likeliest label: (p - e) x features.
  const Tensor off = p - one_hot(argmax(p), p.size(1), kF64);
  const Tensor gradient =
      reshape(unsqueeze(off, 2) * unsqueeze(cast(features, kF64), 1), {p.size(0), -1});
  const Rows rows(kOp, gradient, where);
  data::Random random(seed, 0);
  std::vector<int64_t> chosen;
  std::vector<double> least(rows.count, INFINITY);
  while (static_cast<int64_t>(chosen.size()) < k) {
    size_t next = 0;
    if (chosen.empty()) {  // the longest gradient
      const std::vector<double> zero(rows.width, 0);
      const auto length = distances(rows.values, rows.width, zero.data());
      next = static_cast<size_t>(std::ranges::max_element(length) - length.begin());
    } else {
      const double total = std::accumulate(least.begin(), least.end(), 0.0);
      double at = random.uniform() * total;
      for (next = 0; next + 1 < rows.count && (at -= least[next]) >= 0;) ++next;
      while (std::ranges::count(chosen, static_cast<int64_t>(next)) > 0)
        next = (next + 1) % rows.count;  // all others are equal to chosen ones
    }
    chosen.push_back(static_cast<int64_t>(next));
    const auto d = distances(rows.values, rows.width, rows.row(next));
    for (size_t i = 0; i < least.size(); ++i) least[i] = std::min(least[i], d[i]);
  }
  return positions(chosen);
}

Strategy strategy(const std::string& name, Where where) {
  const auto by = [](Tensor (*score)(const Tensor&)) -> Strategy {
    return [score](const classic::Estimator& model, const Tensor& pool, const Tensor&, int64_t k,
                   uint64_t) { return most_informative(score(model.predict_proba(pool)), k); };
  };
  if (name == "uncertainty") return by(uncertainty);
  if (name == "margin") return by(margin);
  if (name == "entropy") return by(entropy);
  if (name == "random")
    return
        [](const classic::Estimator&, const Tensor& pool, const Tensor&, int64_t k, uint64_t seed) {
          std::vector<int64_t> order(static_cast<size_t>(pool.size(0)));
          std::iota(order.begin(), order.end(), int64_t{0});
          data::Random random(seed, 0);
          for (int64_t i = 0; i < k; ++i)
            std::swap(order[static_cast<size_t>(i)],
                      order[static_cast<size_t>(i + random.below(pool.size(0) - i))]);
          order.resize(static_cast<size_t>(k));
          return positions(order);
        };
  if (name == "core-set")
    return [](const classic::Estimator&, const Tensor& pool, const Tensor& labelled, int64_t k,
              uint64_t) { return k_center_greedy(pool, labelled, k); };
  if (name == "ranked")
    return [](const classic::Estimator& model, const Tensor& pool, const Tensor& labelled,
              int64_t k, uint64_t) {
      return ranked_batch(uncertainty(model.predict_proba(pool)), pool, labelled, k);
    };
  throw Error(
      "strategy: there is no " + name + ": random, uncertainty, margin, entropy, ranked, core-set",
      where);
}

int64_t ActiveCurve::needed(double target) const {
  int64_t out = -1;
  for (size_t i = labels.size(); i-- > 0 && accuracy[i] >= target;) out = labels[i];
  return out;
}

ActiveCurve simulate(const classic::Estimator& estimator, const Strategy& strategy, const Tensor& x,
                     const Tensor& y, const Tensor& x_test, const Tensor& y_test,
                     const ActiveOptions& options, Where where) {
  constexpr const char* kOp = "simulate";
  const int64_t n = x.size(0);
  if (x.rank() != 2 || y.shape() != Shape{n})
    fail(kOp, "x " + x.shape().str() + " with labels " + y.shape().str(), where);
  if (options.initial < 1 || options.batch < 1 || options.budget > n)
    throw ValueError(
        "simulate: initial and batch are above 0, and the pool has as many as the "
        "budget",
        where);
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  data::Random random(options.seed, 0);
  for (int64_t i = n - 1; i > 0; --i)
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(random.below(i + 1))]);
  const auto labels = y.to_vector<int64_t>();
  // The first of each class, then the first of all.
  std::set<int64_t> seen;
  std::stable_partition(order.begin(), order.end(), [&](int64_t i) {
    return seen.insert(labels[static_cast<size_t>(i)]).second;
  });
  const auto first =
      std::min<int64_t>(n, std::max<int64_t>(options.initial, static_cast<int64_t>(seen.size())));
  std::vector<int64_t> known(order.begin(), order.begin() + first);
  std::vector<int64_t> left(order.begin() + first, order.end());
  ActiveCurve curve;
  for (uint64_t round = 0;; ++round) {
    const auto model = estimator.clone();
    const Tensor samples = take(x, positions(known));
    model->fit(samples, take(y, positions(known)));
    curve.labels.push_back(static_cast<int64_t>(known.size()));
    curve.accuracy.push_back(model->score(x_test, y_test));
    const int64_t k = std::min(
        {options.batch, options.budget - curve.labels.back(), static_cast<int64_t>(left.size())});
    if (k <= 0) return curve;
    const auto chosen =
        strategy(*model, take(x, positions(left)), samples, k, options.seed * 1000003 + round + 1)
            .to_vector<int64_t>();
    const std::set<int64_t> asked(chosen.begin(), chosen.end());
    if (static_cast<int64_t>(asked.size()) != k || *asked.begin() < 0 ||
        *asked.rbegin() >= static_cast<int64_t>(left.size()))
      throw ValueError("simulate: the strategy asks for other than " + std::to_string(k) +
                           " different samples of the pool",
                       where);
    std::vector<int64_t> rest;
    for (size_t i = 0; i < left.size(); ++i)
      (asked.contains(static_cast<int64_t>(i)) ? known : rest).push_back(left[i]);
    left = std::move(rest);
  }
}

}  // namespace glia::human
