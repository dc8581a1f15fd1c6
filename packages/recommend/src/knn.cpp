// Likenesses by common ratings, and predictions of the likest.
#include <algorithm>
#include <cmath>

#include "baselines.h"
#include "fields.h"
#include "glia/parallel.h"

namespace glia::recommend {
namespace {

constexpr int64_t kMost = 32000;  // more would be 8 GB

// What two rows have in common, summed over their common columns.
struct Common {
  std::vector<int32_t> count;
  std::vector<double> products, own, others, own_sum, others_sum;
  explicit Common(int64_t n)
      : count(static_cast<size_t>(n)),
        products(count.size()),
        own(count.size()),
        others(count.size()),
        own_sum(count.size()),
        others_sum(count.size()) {}
  void clear() {
    std::ranges::fill(count, 0);
    for (auto* v : {&products, &own, &others, &own_sum, &others_sum}) std::ranges::fill(*v, 0.0);
  }
};

double likeness(const Common& c, size_t j, const SimilarityOptions& o) {
  const double n = c.count[j];
  switch (o.name) {
    case Similarity::kMSD:
      return 1 / (c.products[j] / n + 1);
    case Similarity::kCosine:
      return c.products[j] / std::sqrt(c.own[j] * c.others[j]);
    case Similarity::kPearson: {
      const double top = n * c.products[j] - c.own_sum[j] * c.others_sum[j];
      const double below = std::sqrt((n * c.own[j] - c.own_sum[j] * c.own_sum[j]) *
                                     (n * c.others[j] - c.others_sum[j] * c.others_sum[j]));
      return below == 0 ? 0 : top / below;
    }
    case Similarity::kPearsonBaseline: {
      const double rho = c.products[j] / std::sqrt(c.own[j] * c.others[j]);
      return rho * ((n - 1) / (n - 1 + o.shrinkage));
    }
  }
  return 0;
}

// `x` has a row for each of what is compared; its columns in order, so that sums do not depend on
// the order of ratings.
std::vector<double> compared(const RatingMatrix& x, const SimilarityOptions& o,
                             const std::vector<double>& row_bias,
                             const std::vector<double>& column_bias) {
  const int64_t n = x.n_users;
  std::vector<double> sim(static_cast<size_t>(n * n), 0.0);
  const bool baseline = o.name == Similarity::kPearsonBaseline;
  const int32_t support = static_cast<int32_t>(std::max<int64_t>(o.min_support, baseline ? 2 : 1));
  constexpr int64_t kRows = 16;
  parallel_for((n + kRows - 1) / kRows, [&](int64_t block) {
    Common c(n);
    std::vector<RatingMatrix::Entry> mine;
    for (int64_t a = block * kRows; a < std::min(n, (block + 1) * kRows); ++a) {
      c.clear();
      mine.assign(x.of_user(a).begin(), x.of_user(a).end());
      std::ranges::stable_sort(mine, {}, &RatingMatrix::Entry::index);
      for (const auto& [y, own] : mine) {
        const double partial = baseline ? x.global_mean + column_bias[static_cast<size_t>(y)] : 0;
        const double ri = baseline ? own - (partial + row_bias[static_cast<size_t>(a)]) : own;
        for (const auto& [b, other] : x.of_item(y)) {
          if (b <= a) continue;
          const auto j = static_cast<size_t>(b);
          const double rj = baseline ? other - (partial + row_bias[j]) : other;
          ++c.count[j];
          if (o.name == Similarity::kMSD) {
            c.products[j] += (ri - rj) * (ri - rj);
            continue;
          }
          c.products[j] += ri * rj;
          c.own[j] += ri * ri;
          c.others[j] += rj * rj;
          if (o.name == Similarity::kPearson) {
            c.own_sum[j] += ri;
            c.others_sum[j] += rj;
          }
        }
      }
      sim[static_cast<size_t>(a * n + a)] = 1;
      for (int64_t b = a + 1; b < n; ++b) {
        const auto j = static_cast<size_t>(b);
        if (c.count[j] < support) continue;
        const double s = likeness(c, j, o);
        sim[static_cast<size_t>(a * n + b)] = sim[static_cast<size_t>(b * n + a)] =
            std::isfinite(s) ? s : 0;
      }
    }
  });
  return sim;
}

}  // namespace

Tensor similarities(const RatingMatrix& ratings, const SimilarityOptions& options,
                    const BaselineOptions& baselines) {
  Biases b;
  if (options.name == Similarity::kPearsonBaseline) b = biases_of(ratings, baselines);
  const int64_t n = options.user_based ? ratings.n_users : ratings.n_items;
  if (n > kMost)
    throw ValueError("likenesses of " + std::to_string(n) +
                     (options.user_based ? " users" : " items") + " are too many, " +
                     std::to_string(kMost) + " at most");
  return from_vector(options.user_based ? compared(ratings, options, b.user, b.item)
                                        : compared(ratings.transposed(), options, b.item, b.user),
                     {n, n});
}

void KNN::begin() {
  const auto& o = options;
  if (o.k < 1 || o.min_k < 1) throw ValueError("KNNOptions: k or min_k is not positive");
  const RatingMatrix& all = ratings();
  const bool users = o.sim_options.user_based;
  const int64_t n = users ? all.n_users : all.n_items;
  bias_.assign(static_cast<size_t>(n), 0);
  scale_.assign(static_cast<size_t>(n), 1);
  bu_.clear();
  bi_.clear();
  if (centre_ == Centre::kBaseline) {
    const Biases b = biases_of(all, o.bsl_options);
    bu_ = b.user;
    bi_ = b.item;
  }
  double whole = 0;
  for (const auto& e : all.by_user)
    whole += (e.rating - all.global_mean) * (e.rating - all.global_mean);
  whole = whole > 0 ? std::sqrt(whole / static_cast<double>(all.n_ratings)) : 1;
  for (int64_t x = 0; x < n && (centre_ == Centre::kMean || centre_ == Centre::kZScore); ++x) {
    const auto row = users ? all.of_user(x) : all.of_item(x);
    if (row.empty()) continue;
    double mean = 0, squares = 0;
    for (const auto& e : row) mean += e.rating;
    mean /= static_cast<double>(row.size());
    for (const auto& e : row) squares += (e.rating - mean) * (e.rating - mean);
    const double deviation = std::sqrt(squares / static_cast<double>(row.size()));
    bias_[static_cast<size_t>(x)] = mean;
    if (centre_ == Centre::kZScore)
      scale_[static_cast<size_t>(x)] = deviation == 0 ? whole : deviation;
  }
  sim_ = similarities(all, o.sim_options, o.bsl_options);
}

RatingModel::Estimate KNN::estimate() const {
  return [this, sim = Read<double>(sim_)](int64_t u, int64_t i) -> double {
    const RatingMatrix& all = ratings();
    const bool users = options.sim_options.user_based, baseline = centre_ == Centre::kBaseline;
    const int64_t n = users ? all.n_users : all.n_items, x = users ? u : i;
    double centre = bias_[static_cast<size_t>(x)];
    if (baseline)
      centre = all.global_mean + bu_[static_cast<size_t>(u)] + bi_[static_cast<size_t>(i)];
    if (!all.knows_user(u) || !all.knows_item(i)) return baseline ? centre : all.global_mean;
    const auto raters = users ? all.of_item(i) : all.of_user(u);
    const double* like = sim.row(x, n);
    thread_local std::vector<std::pair<double, int32_t>> near;  // likeness, position among raters
    near.clear();
    for (size_t k = 0; k < raters.size(); ++k)
      if (const double s = like[raters[k].index]; s > 0)
        near.emplace_back(s, static_cast<int32_t>(k));
    const auto first = [](const auto& a, const auto& b) {
      return a.first > b.first || (a.first == b.first && a.second < b.second);
    };
    const auto count = std::min<size_t>(static_cast<size_t>(options.k), near.size());
    std::partial_sort(near.begin(), near.begin() + static_cast<int64_t>(count), near.end(), first);
    if (static_cast<int64_t>(count) < options.min_k)
      return centre_ == Centre::kNone ? all.global_mean : centre;
    double weights = 0, sum = 0;
    for (size_t k = 0; k < count; ++k) {
      const auto& [index, rating] = raters[static_cast<size_t>(near[k].second)];
      const auto other = static_cast<size_t>(index);
      double off = rating - bias_[other];
      if (baseline)
        off = rating - (all.global_mean + (users ? bu_[other] : bu_[static_cast<size_t>(u)]) +
                        (users ? bi_[static_cast<size_t>(i)] : bi_[other]));
      weights += near[k].first;
      sum += near[k].first * off / scale_[other];
    }
    return centre + sum / weights * scale_[static_cast<size_t>(x)];
  };
}

double KNN::reason(int64_t item, int64_t had, double) const {
  if (options.sim_options.user_based) return std::numeric_limits<double>::quiet_NaN();
  return sim_.data<double>()[static_cast<size_t>(item * ratings().n_items + had)];
}

}  // namespace glia::recommend
