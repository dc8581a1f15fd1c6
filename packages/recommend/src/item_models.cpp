// Weights from items to items.
#include <algorithm>
#include <cmath>

#include "fields.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "glia/recommend/implicit.h"
#include "vectors.h"

namespace glia::recommend {
namespace {

// More would be 4 GB.
constexpr int64_t kMostItems = 32000;

// How many users have both, f64 (I, I).
std::vector<double> together(const RatingMatrix& all) {
  const int64_t n = all.n_items;
  std::vector<double> out(static_cast<size_t>(n * n), 0.0);
  parallel_for(n, [&](int64_t i) {
    double* row = out.data() + i * n;
    for (const auto& mine : all.of_item(i))
      for (const auto& other : all.of_user(mine.index)) ++row[other.index];
  });
  return out;
}

}  // namespace

Tensor MostPopular::score(const std::vector<int32_t>& users) const {
  const int64_t n = ratings().n_items;
  std::vector<float> count(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    count[static_cast<size_t>(i)] = static_cast<float>(ratings().of_item(i).size());
  return expand(from_vector(count, {1, n}), {static_cast<int64_t>(users.size()), n});
}

void ItemModel::begin() {
  const int64_t n = ratings().n_items;
  if (n > kMostItems)
    throw ValueError(std::to_string(n) + " items are too many for weights from each to each, of " +
                     std::to_string(kMostItems) + " at most: take als or bpr");
  assign(weights, zeros({n, n}));
}

Tensor ItemModel::score(const std::vector<int32_t>& users) const {
  const auto rows = static_cast<int64_t>(users.size()), n = ratings().n_items;
  std::vector<float> out(static_cast<size_t>(rows * n), 0.0f);
  const Read<float> w(weights);
  parallel_for(rows, [&](int64_t r) {
    float* to = out.data() + r * n;
    for (const auto& e : ratings().of_user(users[static_cast<size_t>(r)])) {
      const float* from = w.row(e.index, n);
      for (int64_t i = 0; i < n; ++i) to[i] += from[i];
    }
  });
  return from_vector(out, {rows, n});
}

double ItemModel::reason(int64_t item, int64_t had, double) const {
  return static_cast<double>(Read<float>(weights)[had * ratings().n_items + item]);
}

void ItemKNN::run() {
  const auto& o = options;
  if (o.k < 1 || !(o.shrink >= 0)) throw ValueError("ItemKNNOptions: k or shrink is out of range");
  const RatingMatrix& all = ratings();
  const int64_t n = all.n_items;
  std::vector<double> sim = together(all);
  std::vector<double> norm(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    norm[static_cast<size_t>(i)] = std::sqrt(sim[static_cast<size_t>(i * n + i)]);
  std::vector<float> out(sim.size(), 0.0f);
  parallel_for(n, [&](int64_t i) {
    const double* row = sim.data() + i * n;
    std::vector<std::pair<double, int64_t>> near;
    for (int64_t j = 0; j < n; ++j)
      if (j != i && row[j] > 0)
        near.emplace_back(
            row[j] / (norm[static_cast<size_t>(i)] * norm[static_cast<size_t>(j)] + o.shrink), -j);
    const auto count = std::min<int64_t>(o.k, static_cast<int64_t>(near.size()));
    std::partial_sort(near.begin(), near.begin() + count, near.end(), std::greater());
    for (int64_t k = 0; k < count; ++k) {
      const auto [s, minus_j] = near[static_cast<size_t>(k)];
      out[static_cast<size_t>(-minus_j * n + i)] = static_cast<float>(s);
    }
  });
  assign(weights, out, {n, n});
}

void EASE::run() {
  if (!(options.reg_weight > 0)) throw ValueError("EASEOptions: reg_weight is not positive");
  const int64_t n = ratings().n_items;
  const Tensor gram = from_vector(together(ratings()), {n, n}) + options.reg_weight * eye(n, kF64);
  const std::vector<double> p =
      linalg::cholesky_inverse(linalg::cholesky(gram)).to_vector<double>();
  std::vector<float> out(p.size());
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      out[static_cast<size_t>(i * n + j)] =
          i == j ? 0.0f
                 : static_cast<float>(-p[static_cast<size_t>(i * n + j)] /
                                      p[static_cast<size_t>(j * n + j)]);
  assign(weights, out, {n, n});
}

namespace {

GLIA_ALWAYS_INLINE void add_row(double* to, double factor, const double* row, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] += factor * row[i];
}

}  // namespace

void SLIM::run() {
  const auto& o = options;
  if (!(o.alpha >= 0 && o.l1_ratio >= 0 && o.l1_ratio <= 1 && o.max_iter > 0))
    throw ValueError("SLIMOptions: alpha, l1_ratio or max_iter is out of range");
  const RatingMatrix& all = ratings();
  const int64_t n = all.n_items;
  const double users = static_cast<double>(all.n_users);
  const double l1 = users * o.alpha * o.l1_ratio, l2 = users * o.alpha * (1 - o.l1_ratio);
  const std::vector<double> gram = together(all);
  std::vector<float> out(gram.size(), 0.0f);
  parallel_for(n, [&](int64_t j) {
    const double* target = gram.data() + j * n;
    std::vector<double> w(static_cast<size_t>(n), 0.0), gw(static_cast<size_t>(n), 0.0);
    std::vector<int64_t> open;  // those that may become other than zero
    for (int64_t i = 0; i < n; ++i)
      if (i != j && target[i] > l1) open.push_back(i);
    for (int64_t pass = 0; pass < o.max_iter; ++pass) {
      double change = 0, largest = 0;
      for (const int64_t i : open) {
        const double* row = gram.data() + i * n;
        double& x = w[static_cast<size_t>(i)];
        const double slope = target[i] - (gw[static_cast<size_t>(i)] - row[i] * x);
        const double now = std::max(0.0, slope - l1) / (row[i] + l2);
        if (now != x) simd::at_level<add_row>(gw.data(), now - x, row, n);
        change = std::max(change, std::abs(now - x));
        largest = std::max(largest, now);
        x = now;
      }
      if (change <= o.tol * largest) break;
    }
    for (const int64_t i : open)
      out[static_cast<size_t>(i * n + j)] = static_cast<float>(w[static_cast<size_t>(i)]);
  });
  assign(weights, out, {n, n});
}

}  // namespace glia::recommend
