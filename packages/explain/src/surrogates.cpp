// LIME and Kernel SHAP: linear models of which features are there.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>

#include "coalitions.h"
#include "common.h"
#include "glia/classic/linear_model.h"
#include "glia/data/source.h"
#include "glia/explain/perturb.h"
#include "glia/linalg.h"
#include "glia/op.h"

namespace glia::explain {
namespace {

struct Coalitions {
  std::vector<uint8_t> rows;  // (coalitions, groups)
  std::vector<double> weight;
};

// Number of subsets; as a double, since it may be huge.
double binomial(int64_t n, int64_t k) {
  return std::round(std::exp(std::lgamma(n + 1.0) - std::lgamma(k + 1.0) -
                             std::lgamma(static_cast<double>(n - k) + 1)));
}

// All subsets of one size, or, of the sizes for which there is no room, drawn ones with their
// complements: in the order and with the weights of shap's KernelExplainer.
Coalitions coalitions(int64_t groups, int64_t budget, uint64_t seed) {
  Coalitions out;
  const auto add = [&](const std::vector<uint8_t>& row, double weight) {
    out.rows.insert(out.rows.end(), row.begin(), row.end());
    out.weight.push_back(weight);
  };
  const int64_t sizes = groups / 2, pairs = (groups - 1) / 2;  // sizes with another complement
  std::vector<double> share(static_cast<size_t>(sizes) + 1, 0);
  for (int64_t s = 1; s <= sizes; ++s)
    share[static_cast<size_t>(s)] = (s <= pairs ? 2.0 : 1.0) * static_cast<double>(groups - 1) /
                                    static_cast<double>(s * (groups - s));
  const double all = std::accumulate(share.begin(), share.end(), 0.0);
  for (double& w : share) w /= all;

  auto left = static_cast<double>(budget);
  double open = 1;  // the share of the sizes that are left
  int64_t size = 1;
  for (; size <= sizes; ++size) {
    const bool paired = size <= pairs;
    const double subsets = binomial(groups, size) * (paired ? 2 : 1);
    const double w = share[static_cast<size_t>(size)];
    if (left * w / open / subsets < 1 - 1e-8) break;
    std::vector<int64_t> at(static_cast<size_t>(size));
    std::iota(at.begin(), at.end(), int64_t{0});
    for (bool more = true; more;) {
      std::vector<uint8_t> row(static_cast<size_t>(groups), 0);
      for (int64_t i : at) row[static_cast<size_t>(i)] = 1;
      add(row, w / subsets);
      if (paired) {
        for (uint8_t& r : row) r = !r;
        add(row, w / subsets);
      }
      int64_t k = size - 1;
      while (k >= 0 && at[static_cast<size_t>(k)] == groups - size + k) --k;
      more = k >= 0;
      if (more) {
        ++at[static_cast<size_t>(k)];
        for (int64_t j = k + 1; j < size; ++j)
          at[static_cast<size_t>(j)] = at[static_cast<size_t>(j - 1)] + 1;
      }
    }
    left -= subsets;
    open -= w;
  }
  if (size > sizes || left < 1) return out;

  data::Random random(seed, 0);
  std::map<std::vector<uint8_t>, double> drawn;
  double total = 0;
  std::vector<int64_t> order(static_cast<size_t>(groups));
  std::iota(order.begin(), order.end(), int64_t{0});
  while (left >= 1 && total < 4.0 * static_cast<double>(budget)) {
    double u = random.uniform() * open;
    int64_t s = size;
    while (s < sizes && u >= share[static_cast<size_t>(s)]) u -= share[static_cast<size_t>(s++)];
    for (int64_t i = 0; i < s; ++i)
      std::swap(order[static_cast<size_t>(i)],
                order[static_cast<size_t>(i + random.below(groups - i))]);
    std::vector<uint8_t> row(static_cast<size_t>(groups), 0);
    for (int64_t i = 0; i < s; ++i) row[static_cast<size_t>(order[static_cast<size_t>(i)])] = 1;
    for (int side = 0; side < (s <= pairs ? 2 : 1) && left >= 1; ++side) {
      double& times = drawn[row];
      if (times == 0) --left;
      ++times;
      ++total;
      for (uint8_t& r : row) r = !r;
    }
  }
  for (const auto& [row, times] : drawn) add(row, open * times / total);
  return out;
}

}  // namespace

LimeResult lime(const Forward& f, const Tensor& x, const LimeOptions& options, Where where) {
  constexpr const char* kOp = "lime";
  require_input(kOp, x, where);
  require_count(kOp, "n_samples", options.n_samples, where);
  if (!(options.kernel_width > 0))
    throw ValueError(
        "lime: kernel_width is " + std::to_string(options.kernel_width) + ", not above 0", where);
  const Tensor baseline = baseline_for(kOp, options.baseline, x, where);
  const Groups groups(kOp, options.feature_mask, x, where);
  const int64_t n = groups.count();
  data::Random random(options.seed, 0);
  std::vector<double> rows, weight;
  for (int64_t s = 0; s < options.n_samples; ++s) {
    double there = 0;
    for (int64_t i = 0; i < n; ++i) {
      rows.push_back(s == 0 || random.bits() >> 31 ? 1 : 0);
      there += rows.back();
    }
    const double distance = 1 - std::sqrt(there / static_cast<double>(n));
    weight.push_back(
        std::sqrt(std::exp(-distance * distance / (options.kernel_width * options.kernel_width))));
  }
  const Tensor features = from_vector(rows, {options.n_samples, n}),
               weights = from_vector(weight, {options.n_samples});
  const Tensor keep = groups.spread(features) > 0.5;
  std::vector<Tensor> places, coefficients;
  std::vector<double> intercepts, scores;
  for (int64_t i = 0; i < x.size(0); ++i) {
    const Tensor y = cast(kept_scores(f, slice(x, 0, {i, i + 1}), slice(baseline, 0, {i, i + 1}),
                                      keep, options.target.at(full({1}, i, kI64)), where),
                          kF64);
    classic::Ridge model({.alpha = options.alpha});
    model.fit(features, y, weights);
    coefficients.push_back(reshape(model.coef, {1, n}));
    places.push_back(groups.spread(coefficients.back()));
    intercepts.push_back(model.intercept.item());
    scores.push_back(model.score(features, y, weights));
  }
  if (places.empty())
    return {zeros_like(x), zeros({0, n}, kF64), zeros({0}, kF64), zeros({0}, kF64)};
  const int64_t examples = x.size(0);
  return {cast(concat(places, 0), x.dtype()), concat(coefficients, 0),
          from_vector(intercepts, {examples}), from_vector(scores, {examples})};
}

ShapValues kernel_shap(const Forward& f, const Tensor& x, const KernelShapOptions& options,
                       Where where) {
  constexpr const char* kOp = "kernel_shap";
  require_input(kOp, x, where);
  Tensor background = options.background;
  if (!background.defined()) background = zeros_like(slice(x, 0, {0, 1}));
  Shape one = x.shape();
  if (background.rank() != x.rank() || background.size(0) < 1 || options.n_samples < 0)
    fail(kOp, "a background " + background.shape().str() + " for inputs " + x.shape().str(), where);
  one[0] = background.size(0);
  if (background.shape() != one)
    fail(kOp, "a background " + background.shape().str() + " for inputs " + x.shape().str(), where);
  background = cast(background, x.dtype());
  const Groups groups(kOp, options.feature_mask, x, where);
  const int64_t n = groups.count();
  require_count(kOp, "the number of features", n, where);
  const int64_t budget = options.n_samples > 0 ? options.n_samples : 2 * n + 2048;
  const Coalitions all = coalitions(n, budget, options.seed);
  const auto m = static_cast<int64_t>(all.weight.size());
  const Tensor rows = cast(from_vector(all.rows, {m, n}), kF64);
  const Tensor keep = groups.spread(rows) > 0.5;
  const Tensor root = unsqueeze(sqrt(from_vector(all.weight, {m})), 1);

  std::vector<Tensor> values;
  std::vector<double> expected;
  for (int64_t i = 0; i < x.size(0); ++i) {
    const Tensor input = slice(x, 0, {i, i + 1});
    const Target target = options.target.at(full({1}, i, kI64));
    const double base =
        mean(cast(scores_of(f, background, target.at(zeros({background.size(0)}, kI64)), where),
                  kF64))
            .item();
    const double change = scores_of(f, input, target, where).item() - base;
    expected.push_back(base);
    if (n == 1) {
      values.push_back(full({1, 1}, change, kF64));
      continue;
    }
    const Tensor y = cast(kept_scores(f, input, background, keep, target, where), kF64) - base;
    // The values add up to the change: the last is what the others leave.
    const Tensor last = slice(rows, 1, {n - 1, n});
    const Tensor a = (slice(rows, 1, {0, n - 1}) - last) * root;
    const Tensor b = (unsqueeze(y, 1) - last * change) * root;
    const Tensor first = squeeze(linalg::lstsq(a, b).solution, 1);
    values.push_back(unsqueeze(concat({first, unsqueeze(change - sum(first), 0)}, 0), 0));
    eval(values.back());
  }
  const Tensor found = values.empty() ? zeros({0, n}, kF64) : concat(values, 0);
  return {options.feature_mask.defined() ? found : groups.spread(found),
          from_vector(expected, {x.size(0)})};
}

}  // namespace glia::explain
