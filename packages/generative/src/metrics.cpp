#include "glia/generative/metrics.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "glia/error.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "glia/ops/contract.h"

namespace glia::generative {
namespace {

constexpr int64_t kRows = 1000;  // of distances at once

void check(const char* name, const Tensor& real, const Tensor& fake, int64_t least, Where where) {
  if (real.rank() != 2 || fake.rank() != 2 || real.size(1) != fake.size(1) ||
      real.size(0) < least || fake.size(0) < least || real.size(1) < 1)
    throw ShapeError(std::string(name) + ": the features are " + real.shape().str() + " and " +
                         fake.shape().str() + ", not (N, D) of one D with " +
                         std::to_string(least) + " rows at least",
                     where);
}

struct Moments {
  Tensor mean, covariance;
};
Moments moments(const Tensor& x) {
  const Tensor m = mean(x, {0}), apart = x - m;
  return {m, matmul(transpose(apart), apart) / static_cast<double>(x.size(0) - 1)};
}

// f(distances of some rows of x to all of y, at which row they begin), part by part.
void for_each_distance(const Tensor& x, const Tensor& y,
                       const std::function<void(const Tensor& d, int64_t at)>& f) {
  for (int64_t at = 0; at < x.size(0); at += kRows)
    f(cdist(slice(x, 0, {at, std::min(x.size(0), at + kRows)}), y), at);
}

// How far each row's k-th neighbour is.
Tensor radii(const Tensor& x, int64_t k) {
  std::vector<Tensor> out;
  for_each_distance(x, x, [&](const Tensor& d, int64_t) {
    out.push_back(-index(topk(-d, k + 1).first, {Ellipsis, k}));  // the nearest is itself
    eval(out.back());
  });
  return concat(out);
}

}  // namespace

double frechet_distance(const Tensor& real, const Tensor& fake, Where where) {
  check("frechet_distance", real, fake, 2, where);
  const NoGrad no_grad;
  const Moments a = moments(cast(real, kF64)), b = moments(cast(fake, kF64));
  // The root's trace by that of a symmetric matrix with the same eigenvalues.
  const auto [values, vectors] = linalg::eigh(a.covariance);
  const Tensor root = matmul(vectors * sqrt(maximum(values, 0)), transpose(vectors));
  const Tensor both = linalg::eigvalsh(matmul(matmul(root, b.covariance), root));
  return (sum(square(a.mean - b.mean)) + trace(a.covariance) + trace(b.covariance) -
          2 * sum(sqrt(maximum(both, 0))))
      .item();
}

KernelDistance kernel_distance(const Tensor& real, const Tensor& fake,
                               const KernelDistanceOptions& o, Where where) {
  check("kernel_distance", real, fake, 2, where);
  const int64_t size = std::min({o.subset_size, real.size(0), fake.size(0)});
  if (o.subsets < 1 || size < 2)
    throw ValueError("kernel_distance: subsets " + std::to_string(o.subsets) + ", subset_size " +
                         std::to_string(o.subset_size),
                     where);
  const NoGrad no_grad;
  const double gamma = o.gamma > 0 ? o.gamma : 1 / static_cast<double>(real.size(1));
  const auto kernel = [&](const Tensor& x, const Tensor& y) {
    return pow(matmul(x, transpose(y)) * gamma + o.coef0, o.degree);
  };
  std::mt19937_64 random(o.seed);
  const auto drawn = [&](const Tensor& from) {
    std::vector<int64_t> rows(static_cast<size_t>(from.size(0)));
    std::iota(rows.begin(), rows.end(), 0);
    for (int64_t i = 0; i < size && size < from.size(0); ++i)
      std::swap(rows[i], rows[i + random() % (rows.size() - i)]);
    rows.resize(size);
    return take(cast(from, kF64), from_vector(rows, {size}));
  };
  const double m = static_cast<double>(size);
  std::vector<double> distances;
  for (int64_t i = 0; i < o.subsets; ++i) {
    const Tensor x = drawn(real), y = drawn(fake);
    const Tensor xx = kernel(x, x), yy = kernel(y, y);
    distances.push_back(((sum(xx) - trace(xx) + sum(yy) - trace(yy)) / (m * (m - 1)) -
                         2 / (m * m) * sum(kernel(x, y)))
                            .item());
  }
  const Tensor all = from_vector(distances, {o.subsets});
  return {mean(all).item(), sqrt(var(all, {}, false, 0)).item()};
}

PrecisionRecall precision_recall(const Tensor& real, const Tensor& fake, int64_t k, Where where) {
  check("precision_recall", real, fake, 2, where);
  if (k < 1 || k >= real.size(0) || k >= fake.size(0))
    throw ValueError("precision_recall: k is " + std::to_string(k) + " of " +
                         std::to_string(real.size(0)) + " and " + std::to_string(fake.size(0)) +
                         " rows",
                     where);
  const NoGrad no_grad;
  const Tensor a = cast(real, kF64), b = cast(fake, kF64);
  const Tensor near_real = radii(a, k), near_fake = radii(b, k);
  const double n = static_cast<double>(a.size(0)), m = static_cast<double>(b.size(0));
  double precise = 0, recalled = 0, dense = 0, covered = 0;
  for_each_distance(b, a, [&](const Tensor& d, int64_t) {
    const Tensor in = d <= near_real;
    precise += sum(any(in, {1})).item();
    dense += sum(in).item();
  });
  for_each_distance(a, b, [&](const Tensor& d, int64_t at) {
    recalled += sum(any(d <= near_fake, {1})).item();
    covered += sum(min(d, {1}) <= slice(near_real, 0, {at, at + d.size(0)})).item();
  });
  return {precise / m, recalled / n, dense / (static_cast<double>(k) * m), covered / n};
}

Tensor parzen_log_density(const Tensor& x, const Tensor& samples, double sigma, Where where) {
  check("parzen_log_density", x, samples, 1, where);
  if (!(sigma > 0))
    throw ValueError("parzen_log_density: sigma is " + std::to_string(sigma), where);
  const NoGrad no_grad;
  const double d = static_cast<double>(x.size(1)), n = static_cast<double>(samples.size(0));
  std::vector<Tensor> out;
  for_each_distance(cast(x, kF64), cast(samples, kF64), [&](const Tensor& distance, int64_t) {
    out.push_back(logsumexp(square(distance) * (-0.5 / (sigma * sigma))) - std::log(n) -
                  d / 2 * std::log(2 * std::numbers::pi * sigma * sigma));
    eval(out.back());
  });
  return concat(out);
}

}  // namespace glia::generative
