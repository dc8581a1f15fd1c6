// Slope One, and co-clustering.
#include <algorithm>
#include <array>
#include <cmath>

#include "fields.h"
#include "glia/data.h"
#include "glia/parallel.h"
#include "glia/recommend/explicit.h"

namespace glia::recommend {
namespace {

std::vector<double> means_of(const RatingMatrix& all, bool users) {
  const int64_t n = users ? all.n_users : all.n_items;
  std::vector<double> out(static_cast<size_t>(n), all.global_mean);
  for (int64_t x = 0; x < n; ++x) {
    const auto row = users ? all.of_user(x) : all.of_item(x);
    double sum = 0;
    for (const auto& e : row) sum += e.rating;
    if (!row.empty()) out[static_cast<size_t>(x)] = sum / static_cast<double>(row.size());
  }
  return out;
}

}  // namespace

// ---- Slope One --------------------------------------------------------------------------------

void SlopeOne::begin() {
  const RatingMatrix& all = ratings();
  const int64_t n = all.n_items;
  std::vector<double> dev(static_cast<size_t>(n * n), 0.0);
  std::vector<int32_t> freq(dev.size(), 0);
  parallel_for(n, [&](int64_t i) {
    double* differences = dev.data() + i * n;
    int32_t* count = freq.data() + i * n;
    for (const auto& [u, mine] : all.of_item(i))
      for (const auto& [j, other] : all.of_user(u)) {
        differences[j] += mine - other;
        ++count[j];
      }
    for (int64_t j = 0; j < n; ++j)
      if (count[j] > 0) differences[j] /= count[j];
  });
  dev_ = from_vector(dev, {n, n});
  freq_ = from_vector(freq, {n, n});
  mean_ = means_of(all, true);
}

RatingModel::Estimate SlopeOne::estimate() const {
  return [this, dev = Read<double>(dev_), freq = Read<int32_t>(freq_)](int64_t u, int64_t i) {
    const RatingMatrix& all = ratings();
    if (!all.knows_user(u) || !all.knows_item(i)) return all.global_mean;
    double sum = 0;
    int64_t count = 0;
    const double* differences = dev.row(i, all.n_items);
    const int32_t* common = freq.row(i, all.n_items);
    for (const auto& e : all.of_user(u))
      if (common[e.index] > 0) {
        sum += differences[e.index];
        ++count;
      }
    const double mean = mean_[static_cast<size_t>(u)];
    return count > 0 ? mean + sum / static_cast<double>(count) : mean;
  };
}

// ---- Co-clustering ----------------------------------------------------------------------------

namespace {

struct Averages {
  std::vector<double> user, item, both;  // of clusters, and of pairs of them
};

Averages averages(const RatingMatrix& all, const std::vector<int64_t>& users, int64_t n_users,
                  const std::vector<int64_t>& items, int64_t n_items) {
  std::array<std::vector<double>, 3> sum, count;
  const std::array<int64_t, 3> sizes = {n_users, n_items, n_users * n_items};
  for (size_t k = 0; k < 3; ++k) {
    sum[k].assign(static_cast<size_t>(sizes[k]), 0);
    count[k] = sum[k];
  }
  for (int64_t u = 0; u < all.n_users; ++u)
    for (const auto& [i, r] : all.of_user(u)) {
      const int64_t uc = users[static_cast<size_t>(u)], ic = items[static_cast<size_t>(i)];
      const std::array<int64_t, 3> at = {uc, ic, uc * n_items + ic};
      for (size_t k = 0; k < 3; ++k) {
        sum[k][static_cast<size_t>(at[k])] += r;
        ++count[k][static_cast<size_t>(at[k])];
      }
    }
  for (size_t k = 0; k < 3; ++k)
    for (size_t c = 0; c < sum[k].size(); ++c)
      sum[k][c] = count[k][c] > 0 ? sum[k][c] / count[k][c] : all.global_mean;
  return {sum[0], sum[1], sum[2]};
}

}  // namespace

void CoClustering::begin() {
  const auto& o = options;
  if (o.n_cltr_u < 1 || o.n_cltr_i < 1 || o.n_epochs < 0)
    throw ValueError("CoClusteringOptions: clusters or epochs are out of range");
  data::Random random(o.random_state);
  const auto draw = [&](int64_t n, int64_t clusters) {
    std::vector<int64_t> out(static_cast<size_t>(n));
    for (int64_t& c : out) c = random.below(clusters);
    return from_vector(out, {n});
  };
  assign(cltr_u, draw(ratings().n_users, o.n_cltr_u));
  assign(cltr_i, draw(ratings().n_items, o.n_cltr_i));
}

void CoClustering::run() {
  const RatingMatrix& all = ratings();
  const int64_t nu = options.n_cltr_u, ni = options.n_cltr_i;
  auto users = cltr_u.tensor().to_vector<int64_t>(), items = cltr_i.tensor().to_vector<int64_t>();
  const std::vector<double> user_mean = means_of(all, true), item_mean = means_of(all, false);
  for (int64_t epoch = 1; epoch <= options.n_epochs; ++epoch) {
    const Averages a = averages(all, users, nu, items, ni);
    const auto error = [&](int64_t u, int64_t i, int64_t uc, int64_t ic, double r) {
      const double off = r - (a.both[static_cast<size_t>(uc * ni + ic)] +
                              user_mean[static_cast<size_t>(u)] - a.user[static_cast<size_t>(uc)] +
                              item_mean[static_cast<size_t>(i)] - a.item[static_cast<size_t>(ic)]);
      return off * off;
    };
    // The cluster that fits a row best.
    const auto best = [&](int64_t clusters, auto&& error_of) {
      int64_t found = 0;
      double least = 0;
      for (int64_t c = 0; c < clusters; ++c) {
        const double sum = error_of(c);
        if (c == 0 || sum < least) {
          found = c;
          least = sum;
        }
      }
      return std::pair{found, least};
    };
    for (int64_t u = 0; u < all.n_users; ++u)
      users[static_cast<size_t>(u)] = best(nu, [&](int64_t uc) {
                                        double sum = 0;
                                        for (const auto& [i, r] : all.of_user(u))
                                          sum += error(u, i, uc, items[static_cast<size_t>(i)], r);
                                        return sum;
                                      }).first;
    double squares = 0;
    for (int64_t i = 0; i < all.n_items; ++i) {
      const auto [found, least] = best(ni, [&](int64_t ic) {
        double sum = 0;
        for (const auto& [u, r] : all.of_item(i))
          sum += error(u, i, users[static_cast<size_t>(u)], ic, r);
        return sum;
      });
      items[static_cast<size_t>(i)] = found;
      squares += least;
    }
    if (!told(epoch, squares / static_cast<double>(all.n_ratings))) break;
  }
  assign(cltr_u, users, {all.n_users});
  assign(cltr_i, items, {all.n_items});
}

RatingModel::Estimate CoClustering::estimate() const {
  const RatingMatrix& all = ratings();
  const auto users = cltr_u.tensor().to_vector<int64_t>(),
             items = cltr_i.tensor().to_vector<int64_t>();
  const int64_t nu = options.n_cltr_u, ni = options.n_cltr_i;
  for (const int64_t c : users)
    if (c < 0 || c >= nu) throw ValueError("CoClustering: a cluster of users has no such number");
  for (const int64_t c : items)
    if (c < 0 || c >= ni) throw ValueError("CoClustering: a cluster of items has no such number");
  return
      [users, items, ni, a = averages(all, users, nu, items, ni), user_mean = means_of(all, true),
       item_mean = means_of(all, false), &all](int64_t u, int64_t i) {
        if (!all.knows_user(u)) return item_mean[static_cast<size_t>(i)];
        if (!all.knows_item(i)) return user_mean[static_cast<size_t>(u)];
        const auto uc = static_cast<size_t>(users[static_cast<size_t>(u)]),
                   ic = static_cast<size_t>(items[static_cast<size_t>(i)]);
        return a.both[uc * static_cast<size_t>(ni) + ic] + user_mean[static_cast<size_t>(u)] -
               a.user[uc] + item_mean[static_cast<size_t>(i)] - a.item[ic];
      };
}

}  // namespace glia::recommend
