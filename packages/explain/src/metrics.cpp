#include "glia/explain/metrics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "coalitions.h"
#include "common.h"
#include "glia/op.h"
#include "glia/random.h"

namespace glia::explain {
namespace {

void require_like(const char* op, const Tensor& attributions, const Tensor& x, const Where& where) {
  require_defined(op, attributions, where);
  if (attributions.shape() != x.shape())
    fail(op, "attributions " + attributions.shape().str() + " of inputs " + x.shape().str(), where);
}

Tensor nonzero_or_one(const Tensor& x) { return where(x == 0, 1, x); }

// Positions from 0 on by size, the mean of equal ones.
std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](size_t i) { return values[i]; });
  std::vector<double> out(values.size());
  for (size_t i = 0, j; i < order.size(); i = j) {
    for (j = i; j < order.size() && values[order[j]] == values[order[i]];) ++j;
    for (size_t k = i; k < j; ++k) out[order[k]] = static_cast<double>(i + j - 1) / 2;
  }
  return out;
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) ma += a[i] / n, mb += b[i] / n;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - ma) * (b[i] - mb);
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

double spearman(const Tensor& a, const Tensor& b) {
  double total = 0;
  for (int64_t i = 0; i < a.size(0); ++i)
    total += correlation(ranks(abs(index(a, {i})).to_vector<double>()),
                         ranks(abs(index(b, {i})).to_vector<double>()));
  return total / static_cast<double>(std::max<int64_t>(a.size(0), 1));
}

}  // namespace

Tensor infidelity(const Forward& f, const Tensor& x, const Tensor& attributions,
                  const InfidelityOptions& options, Where where) {
  constexpr const char* kOp = "infidelity";
  require_input(kOp, x, where);
  require_like(kOp, attributions, x, where);
  require_count(kOp, "n_perturb_samples", options.n_perturb_samples, where);
  const Tensor whole = scores_of(f, x, options.target, where);
  Tensor dd = zeros_like(whole), da = dd, aa = dd;
  for (int64_t i = 0; i < options.n_perturb_samples; ++i) {
    const Tensor noise = randn(x.shape(), x.dtype()) * options.noise_scale;
    const Tensor change = whole - scores_of(f, x - noise, options.target, where);
    const Tensor said = example_sums(noise * attributions);
    dd = dd + square(change);
    da = da + change * said;
    aa = aa + square(said);
    eval({dd, da, aa});
  }
  const auto n = static_cast<double>(options.n_perturb_samples);
  const Tensor beta = options.normalize ? da / nonzero_or_one(aa) : ones_like(da);
  return (square(beta) * aa - 2 * beta * da + dd) / n;
}

Tensor sensitivity_max(const Method& method, const Tensor& x, const SensitivityOptions& options,
                       Where where) {
  constexpr const char* kOp = "sensitivity_max";
  require_input(kOp, x, where);
  require_count(kOp, "n_perturb_samples", options.n_perturb_samples, where);
  const auto size = [](const Tensor& t) { return sqrt(example_sums(square(t))); };
  const Tensor whole = method(x), norm = size(whole);
  Tensor most = zeros_like(norm);
  for (int64_t i = 0; i < options.n_perturb_samples; ++i) {
    const Tensor noise =
        uniform(x.shape(), -options.perturb_radius, options.perturb_radius, x.dtype());
    most = maximum(most, size(method(x + noise) - whole) / nonzero_or_one(norm));
    eval(most);
  }
  return most;
}

std::vector<Randomised> cascading_randomisation(nn::Module& module, const Method& method,
                                                const Tensor& x, uint64_t seed, Where where) {
  require_input("cascading_randomisation", x, where);
  const StateDict values = module.state_dict();
  eval([&] {
    std::vector<Tensor> all;
    for (const auto& [name, value] : values) all.push_back(value);
    return all;
  }());
  const Tensor whole = stop_gradient(method(x));
  eval(whole);
  // Layers in the order of their parameters.
  std::vector<std::pair<std::string, std::vector<nn::NamedVariable>>> layers;
  for (const nn::NamedVariable& p : module.named_parameters()) {
    const size_t dot = p.name.rfind('.');
    const std::string layer = dot == std::string::npos ? "" : p.name.substr(0, dot);
    if (layers.empty() || layers.back().first != layer) layers.push_back({layer, {}});
    layers.back().second.push_back(p);
  }
  if (layers.empty()) throw Error("cascading_randomisation: the module has no parameters", where);
  struct Back {
    nn::Module& module;
    const StateDict& values;
    const RandomState random = random_state();
    ~Back() {
      module.load_state_dict(values);
      set_random_state(random);
    }
  } back{module, values};
  manual_seed(seed);
  std::vector<Randomised> out;
  for (size_t i = layers.size(); i-- > 0;) {
    for (const nn::NamedVariable& p : layers[i].second) {
      const Tensor value = p.variable.tensor();
      const double spread = std::sqrt(mean(square(cast(value, kF64))).item());
      p.variable.set(cast(randn(value.shape()) * spread, value.dtype()));
    }
    out.push_back({layers[i].first, spearman(whole, stop_gradient(method(x)))});
  }
  return out;
}

DeletionInsertion deletion_insertion(const Forward& f, const Tensor& x, const Tensor& attributions,
                                     const DeletionOptions& options, Where where) {
  constexpr const char* kOp = "deletion_insertion";
  require_input(kOp, x, where);
  require_like(kOp, attributions, x, where);
  require_count(kOp, "steps", options.steps, where);
  const Tensor baseline = baseline_for(kOp, options.baseline, x, where);
  std::vector<double> deletion, insertion;
  for (int64_t i = 0; i < x.size(0); ++i) {
    const Tensor one = slice(x, 0, {i, i + 1}), base = slice(baseline, 0, {i, i + 1});
    const Target target = options.target.at(full({1}, i, kI64));
    // The place of each number among all, the most important first.
    const Tensor order = argsort(argsort(reshape(index(attributions, {i}), {-1}), 0, true), 0);
    const auto places = static_cast<double>(order.numel());
    const Tensor count = round(linspace(0, places, options.steps + 1, kF64));
    Shape shape = one.shape();
    shape[0] = options.steps + 1;
    const Tensor among = reshape(unsqueeze(order, 0) < unsqueeze(count, 1), shape);
    const auto area = [&](const Tensor& keep) {
      const auto y = kept_scores(f, one, base, keep, target, where).to_vector<double>();
      double total = 0;
      for (size_t k = 1; k < y.size(); ++k) total += (y[k - 1] + y[k]) / 2;
      return total / static_cast<double>(options.steps);
    };
    deletion.push_back(area(logical_not(among)));
    insertion.push_back(area(among));
  }
  return {from_vector(deletion, {x.size(0)}), from_vector(insertion, {x.size(0)})};
}

}  // namespace glia::explain
