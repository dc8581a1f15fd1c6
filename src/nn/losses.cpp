// Activations and losses that are more than one call.
#include "glia/nn/losses.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "glia/nn/activations.h"

namespace glia::nn {

PReLU::PReLU(int64_t num_parameters, double init) {
  if (num_parameters < 1)
    throw ShapeError(fmt::format("PReLU: num_parameters is {}, not positive", num_parameters));
  weight = full({num_parameters}, init);
}

Tensor Softmax2d::operator()(const Tensor& x, Where where) const {
  if (x.rank() != 3 && x.rank() != 4)
    throw ShapeError("Softmax2d: needs (N, H, W, C) or (H, W, C), got " + x.shape().str(), where);
  return softmax(x, -1, where);
}

namespace {

std::vector<int64_t> with_end(std::vector<int64_t> cutoffs, int64_t n_classes) {
  for (size_t i = 0; i < cutoffs.size(); ++i)
    if (cutoffs[i] <= (i ? cutoffs[i - 1] : 0) || cutoffs[i] >= n_classes)
      throw ShapeError(
          fmt::format("AdaptiveLogSoftmaxWithLoss: cutoffs {} do not rise from 1 to {}",
                      fmt::join(cutoffs, ", "), n_classes - 1));
  if (cutoffs.empty()) throw ShapeError("AdaptiveLogSoftmaxWithLoss: there are no cutoffs");
  cutoffs.push_back(n_classes);
  return cutoffs;
}

// Rows, repeated to a power of two of them: so few sizes have few plans.
Tensor rounded_up(std::vector<int64_t> rows) {
  rows.resize(std::bit_ceil(rows.size()), rows[0]);
  return from_vector(rows, {static_cast<int64_t>(rows.size())});
}

}  // namespace

AdaptiveLogSoftmaxWithLoss::AdaptiveLogSoftmaxWithLoss(int64_t in_features, int64_t n_classes,
                                                       const std::vector<int64_t>& cutoffs,
                                                       const AdaptiveLogSoftmaxOptions& options)
    : cutoffs(with_end(cutoffs, n_classes)),
      head(in_features, this->cutoffs[0] + static_cast<int64_t>(cutoffs.size()),
           {.bias = options.head_bias}) {
  if (!(options.div_value > 0))
    throw ShapeError(
        fmt::format("AdaptiveLogSoftmaxWithLoss: div_value {} is not above 0", options.div_value));
  for (size_t i = 0; i < cutoffs.size(); ++i) {
    const double share = std::pow(options.div_value, static_cast<double>(i + 1));
    const auto width = static_cast<int64_t>(std::floor(static_cast<double>(in_features) / share));
    if (width < 1)
      throw ShapeError(fmt::format(
          "AdaptiveLogSoftmaxWithLoss: cluster {} of {} features divided by {} has no width", i,
          in_features, share));
    tail.emplace_back();
    tail.back().emplace_back(in_features, width, LinearOptions{.bias = false});
    tail.back().emplace_back(width, this->cutoffs[i + 1] - this->cutoffs[i],
                             LinearOptions{.bias = false});
  }
}

// Of x (N, in), within the cluster.
Tensor AdaptiveLogSoftmaxWithLoss::of_cluster(int64_t i, const Tensor& x,
                                              const Where& where) const {
  return log_softmax(tail[i][1](tail[i][0](x, where), where), -1, where);
}

AdaptiveLogSoftmaxWithLoss::Result AdaptiveLogSoftmaxWithLoss::operator()(const Tensor& x,
                                                                          const Tensor& target,
                                                                          Where where) const {
  if (x.rank() == 1 && target.rank() == 0) {
    const Result one = (*this)(unsqueeze(x, 0, where), reshape(target, {1}, where), where);
    return {squeeze(one.output, 0), one.loss};
  }
  if (x.rank() != 2 || target.shape() != Shape{x.size(0)} || !is_integer(target.dtype()))
    throw ShapeError(
        fmt::format(
            "AdaptiveLogSoftmaxWithLoss: needs (N, in) and class indices (N), got {} and {} {}",
            x.shape().str(), name(target.dtype()), target.shape().str()),
        where);
  const std::vector<int64_t> classes = target.to_vector<int64_t>(where);
  std::vector<std::vector<int64_t>> rows(tail.size());  // of each cluster
  std::vector<int64_t> first;                           // the column of the head for each row
  for (size_t n = 0; n < classes.size(); ++n) {
    if (classes[n] < 0 || classes[n] >= cutoffs.back())
      throw ValueError(
          fmt::format("AdaptiveLogSoftmaxWithLoss: class {} at position {} is not one of {}",
                      classes[n], n, cutoffs.back()),
          where);
    const auto cluster = std::ranges::upper_bound(cutoffs, classes[n]) - cutoffs.begin();
    first.push_back(cluster == 0 ? classes[n] : cutoffs[0] + cluster - 1);
    if (cluster > 0) rows[cluster - 1].push_back(static_cast<int64_t>(n));
  }
  const auto count = static_cast<int64_t>(classes.size());
  const auto picked = [&](const Tensor& log_p, const Tensor& columns) {
    return squeeze(gather(log_p, unsqueeze(columns, 1), 1, where), 1);
  };
  Tensor output = picked(log_softmax(head(x, where), -1, where), from_vector(first, {count}));
  for (int64_t i = 0; i < clusters(); ++i) {
    if (rows[i].empty()) continue;
    const auto own = static_cast<int64_t>(rows[i].size());
    const Tensor at = rounded_up(rows[i]);
    const Tensor columns = take(cast(target, kI64), at) - cutoffs[i];
    const Tensor log_p = picked(of_cluster(i, take(x, at, 0, where), where), columns);
    const Tensor real = arange(at.numel()) < own;  // those repeated add nothing
    output = index_add(output, at, glia::where(real, log_p, 0), 0, where);
  }
  return {output, -mean(output)};
}

Tensor AdaptiveLogSoftmaxWithLoss::log_prob(const Tensor& x, Where where) const {
  const Tensor first = log_softmax(head(x, where), -1, where);
  std::vector<Tensor> parts{slice(first, -1, {0, cutoffs[0]}, where)};
  for (int64_t i = 0; i < clusters(); ++i)
    parts.push_back(of_cluster(i, x, where) +
                    slice(first, -1, {cutoffs[0] + i, cutoffs[0] + i + 1}, where));
  return concat(parts, -1, where);
}

Tensor AdaptiveLogSoftmaxWithLoss::predict(const Tensor& x, Where where) const {
  return argmax(log_prob(x, where), -1, false, where);
}

}  // namespace glia::nn
