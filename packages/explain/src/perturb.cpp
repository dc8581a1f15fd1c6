// Occlusion, ablation and Shapley values by sampling.
#include "glia/explain/perturb.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "coalitions.h"
#include "common.h"
#include "glia/data/source.h"
#include "glia/op.h"

namespace glia::explain {
namespace {

constexpr int64_t kWindowsAtOnce = 256;

// Each example by itself: its input (1, ...), what stands for absent places, and its target.
template <class F>
std::vector<Tensor> each_example(const Tensor& x, const Tensor& baseline, const Target& target,
                                 F&& f) {
  std::vector<Tensor> out;
  for (int64_t i = 0; i < x.size(0); ++i) {
    out.push_back(
        f(slice(x, 0, {i, i + 1}), slice(baseline, 0, {i, i + 1}), target.at(full({1}, i, kI64))));
    eval(out.back());
  }
  return out;
}

Tensor joined(const std::vector<Tensor>& parts, const Tensor& x) {
  return parts.empty() ? zeros_like(x) : cast(concat(parts, 0), x.dtype());
}

// Where windows begin on each axis.
std::vector<std::vector<int64_t>> window_starts(const OcclusionOptions& o, const Shape& shape,
                                                const Where& where) {
  const auto rank = static_cast<size_t>(shape.rank());
  if (o.sliding_window_shapes.size() != rank || (!o.strides.empty() && o.strides.size() != rank))
    fail("occlusion", "windows and strides have a size for each axis of " + shape.str(), where);
  std::vector<std::vector<int64_t>> starts{{}};
  for (size_t axis = 0; axis < rank; ++axis) {
    const int64_t size = shape[static_cast<int>(axis)], window = o.sliding_window_shapes[axis];
    const int64_t stride = o.strides.empty() ? 1 : o.strides[axis];
    if (window < 1 || window > size || stride < 1 || stride > window)
      throw ValueError("occlusion: a window of " + std::to_string(window) + " by steps of " +
                           std::to_string(stride) + " does not cover an axis of " +
                           std::to_string(size),
                       where);
    std::vector<std::vector<int64_t>> longer;
    for (const auto& start : starts)
      for (int64_t at = 0, last = false; !last; at += stride) {
        last = at + window >= size;
        longer.push_back(start);
        longer.back().push_back(at);
      }
    starts = std::move(longer);
  }
  return starts;
}

}  // namespace

Tensor occlusion(const Forward& f, const Tensor& x, const OcclusionOptions& options, Where where) {
  constexpr const char* kOp = "occlusion";
  require_input(kOp, x, where);
  const Tensor baseline = baseline_for(kOp, options.baseline, x, where);
  Shape shape = x.shape();
  shape.erase(0);
  const auto starts = window_starts(options, shape, where);
  // Of a window, which places it covers.
  const auto masks = [&](size_t first, size_t last) {
    std::vector<Tensor> covered;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      std::vector<int64_t> begin;
      for (size_t i = first; i < last; ++i) begin.push_back(starts[i][static_cast<size_t>(axis)]);
      Shape windows = Shape::filled(shape.rank() + 1, 1), places = windows;
      windows[0] = static_cast<int64_t>(begin.size());
      places[axis + 1] = shape[axis];
      const Tensor from = reshape(from_vector(begin, {windows[0]}), windows);
      const Tensor at = reshape(arange(shape[axis]), places);
      covered.push_back((at >= from) &
                        (at < from + options.sliding_window_shapes[static_cast<size_t>(axis)]));
    }
    Tensor all = covered[0];
    for (size_t i = 1; i < covered.size(); ++i) all = all & covered[i];
    return all;
  };
  return joined(
      each_example(x, baseline, options.target,
                   [&](const Tensor& one, const Tensor& base, const Target& target) {
                     const Tensor whole = scores_of(f, one, target, where);
                     Tensor total = zeros_like(one), times = zeros_like(one);
                     for (size_t first = 0; first < starts.size(); first += kWindowsAtOnce) {
                       const Tensor covered =
                           masks(first, std::min(first + kWindowsAtOnce, starts.size()));
                       const Tensor fall =
                           whole - kept_scores(f, one, base, logical_not(covered), target, where);
                       const Tensor count = cast(covered, x.dtype());
                       total = total + sum(count * along(fall, x.rank()), {0}, true);
                       times = times + sum(count, {0}, true);
                       eval({total, times});
                     }
                     return total / times;
                   }),
      x);
}

Tensor feature_ablation(const Forward& f, const Tensor& x, const AblationOptions& options,
                        Where where) {
  constexpr const char* kOp = "feature_ablation";
  require_input(kOp, x, where);
  const Tensor baseline = baseline_for(kOp, options.baseline, x, where);
  const Groups groups(kOp, options.feature_mask, x, where);
  const Tensor keep = groups.spread(eye(groups.count()) == 0);
  return joined(each_example(x, baseline, options.target,
                             [&](const Tensor& one, const Tensor& base, const Target& target) {
                               const Tensor whole = scores_of(f, one, target, where);
                               const Tensor fall =
                                   whole - kept_scores(f, one, base, keep, target, where);
                               return groups.spread(unsqueeze(fall, 0));
                             }),
                x);
}

Tensor shapley_value_sampling(const Forward& f, const Tensor& x,
                              const ShapleySamplingOptions& options, Where where) {
  constexpr const char* kOp = "shapley_value_sampling";
  require_input(kOp, x, where);
  require_count(kOp, "n_samples", options.n_samples, where);
  const Tensor baseline = baseline_for(kOp, options.baseline, x, where);
  const Groups groups(kOp, options.feature_mask, x, where);
  const auto count = static_cast<size_t>(groups.count());
  return joined(
      each_example(x, baseline, options.target,
                   [&](const Tensor& one, const Tensor& base, const Target& target) {
                     data::Random random(options.seed, 0);
                     std::vector<double> value(count, 0);
                     std::vector<size_t> order(count);
                     std::iota(order.begin(), order.end(), size_t{0});
                     for (int64_t s = 0; s < options.n_samples; ++s) {
                       for (size_t i = count; i > 1; --i)
                         std::swap(
                             order[i - 1],
                             order[static_cast<size_t>(random.below(static_cast<int64_t>(i)))]);
                       // Row k has the first k features of this order.
                       std::vector<uint8_t> rows((count + 1) * count, 0);
                       for (size_t k = 1; k <= count; ++k)
                         for (size_t i = 0; i < k; ++i) rows[k * count + order[i]] = 1;
                       const auto n = static_cast<int64_t>(count);
                       const Tensor keep = groups.spread(from_vector(rows, {n + 1, n})) > 0;
                       const auto scores =
                           kept_scores(f, one, base, keep, target, where).to_vector<double>();
                       for (size_t k = 0; k < count; ++k)
                         value[order[k]] +=
                             (scores[k + 1] - scores[k]) / static_cast<double>(options.n_samples);
                     }
                     return groups.spread(from_vector(value, {1, static_cast<int64_t>(count)}));
                   }),
      x);
}

}  // namespace glia::explain
