#include "glia/recommend/metrics.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "glia/data.h"
#include "glia/parallel.h"

namespace glia::recommend {
namespace {

constexpr int64_t kUsers = 256;  // whose scores are in memory at a time

std::vector<double> errors(const RatingModel& model, const Interactions& test) {
  if (test.size() == 0) throw ValueError("there are no rows to test on");
  std::vector<double> out = model.predict(test);
  for (size_t k = 0; k < out.size(); ++k) out[k] -= test.rating[k];
  return out;
}

// What one user adds.
struct Sums {
  double hit = 0, recall = 0, precision = 0, ndcg = 0, map = 0, mrr = 0;
};

Sums judged(const std::vector<int32_t>& best, const std::vector<int32_t>& wanted, int64_t k) {
  Sums s;
  double dcg = 0, ideal = 0, hits = 0, precisions = 0;
  for (size_t at = 0; at < best.size(); ++at) {
    if (!std::ranges::binary_search(wanted, best[at])) continue;
    const auto rank = static_cast<double>(at + 1);
    if (hits == 0) s.mrr = 1 / rank;
    ++hits;
    precisions += hits / rank;
    dcg += 1 / std::log2(rank + 1);
  }
  const auto possible =
      std::min<double>(static_cast<double>(k), static_cast<double>(wanted.size()));
  for (double at = 1; at <= possible; ++at) ideal += 1 / std::log2(at + 1);
  s.hit = hits > 0 ? 1 : 0;
  s.recall = hits / static_cast<double>(wanted.size());
  s.precision = hits / static_cast<double>(k);
  s.ndcg = dcg / ideal;
  s.map = precisions / possible;
  return s;
}

}  // namespace

double rmse(const RatingModel& model, const Interactions& test) {
  double sum = 0;
  for (const double e : errors(model, test)) sum += e * e;
  return std::sqrt(sum / static_cast<double>(test.size()));
}

double mae(const RatingModel& model, const Interactions& test) {
  double sum = 0;
  for (const double e : errors(model, test)) sum += std::abs(e);
  return sum / static_cast<double>(test.size());
}

double fcp(const RatingModel& model, const Interactions& test) {
  const std::vector<double> said = model.predict(test);
  std::vector<std::vector<size_t>> rows(test.users.size());
  for (size_t k = 0; k < said.size(); ++k) rows[static_cast<size_t>(test.user[k])].push_back(k);
  double right = 0, wrong = 0;
  for (const auto& row : rows)
    for (const size_t a : row)
      for (const size_t b : row) {
        if (test.rating[a] <= test.rating[b]) continue;
        (said[a] > said[b] ? right : wrong) += 1;
      }
  if (right + wrong == 0) throw ValueError("fcp: no user has two rows whose ratings differ");
  return right / (right + wrong);
}

Ranking rank(const Recommender& model, const Interactions& test, const RankingOptions& o) {
  const RatingMatrix& known = model.ratings();
  if (o.k < 1 || o.sampled_negatives < 0) throw ValueError("RankingOptions: k or negatives");
  std::vector<std::vector<int32_t>> wanted(static_cast<size_t>(known.n_users));
  for (size_t k = 0; k < test.user.size(); ++k) {
    if (test.user[k] < 0 || test.user[k] >= known.n_users || test.item[k] < 0 ||
        test.item[k] >= known.n_items)
      throw ValueError("rank: the test has users or items that the model has no number for");
    wanted[static_cast<size_t>(test.user[k])].push_back(test.item[k]);
  }
  std::vector<int32_t> users;
  for (size_t u = 0; u < wanted.size(); ++u) {
    std::ranges::sort(wanted[u]);
    if (!wanted[u].empty()) users.push_back(static_cast<int32_t>(u));
  }
  if (users.empty()) throw ValueError("there are no rows to test on");

  const int64_t n = known.n_items;
  std::vector<Sums> sums(users.size());
  std::vector<std::vector<int32_t>> best(users.size());
  for (size_t first = 0; first < users.size(); first += kUsers) {
    const std::vector<int32_t> some(
        users.begin() + static_cast<int64_t>(first),
        users.begin() + static_cast<int64_t>(std::min(users.size(), first + kUsers)));
    const std::vector<float> scores = model.scores(some).to_vector<float>();
    parallel_for(static_cast<int64_t>(some.size()), [&](int64_t r) {
      const int32_t u = some[static_cast<size_t>(r)];
      const float* score = scores.data() + r * n;
      const auto& own = wanted[static_cast<size_t>(u)];
      std::vector<uint8_t> out_of(static_cast<size_t>(n), o.sampled_negatives > 0 ? 1 : 0);
      for (const auto& e : known.of_user(u)) out_of[static_cast<size_t>(e.index)] = 1;
      if (o.sampled_negatives > 0) {
        std::vector<uint8_t> has(static_cast<size_t>(n), 0);
        for (const auto& e : known.of_user(u)) has[static_cast<size_t>(e.index)] = 1;
        for (const int32_t i : own) has[static_cast<size_t>(i)] = 1;
        const int64_t left = n - std::ranges::count(has, 1);
        data::Random random(o.random_state, static_cast<uint64_t>(u));
        for (int64_t drawn = 0; drawn < std::min(o.sampled_negatives, left);) {
          const auto i = static_cast<size_t>(random.below(n));
          if (has[i]) continue;
          has[i] = 1;
          out_of[i] = 0;
          ++drawn;
        }
        for (const int32_t i : own) out_of[static_cast<size_t>(i)] = 0;
      }
      for (const auto& e : known.of_user(u)) out_of[static_cast<size_t>(e.index)] = 1;
      std::vector<int32_t> order;
      for (int64_t i = 0; i < n; ++i)
        if (!out_of[static_cast<size_t>(i)] && !std::isnan(score[i]))
          order.push_back(static_cast<int32_t>(i));
      const auto count = std::min<int64_t>(o.k, static_cast<int64_t>(order.size()));
      const auto is_wanted = [&](int32_t i) { return std::ranges::binary_search(own, i); };
      std::partial_sort(order.begin(), order.begin() + count, order.end(),
                        [&](int32_t a, int32_t b) {
                          if (score[a] != score[b]) return score[a] > score[b];
                          const bool wa = is_wanted(a), wb = is_wanted(b);
                          return wa != wb ? wb : a < b;
                        });
      order.resize(static_cast<size_t>(count));
      const size_t at = first + static_cast<size_t>(r);
      sums[at] = judged(order, own, o.k);
      best[at] = std::move(order);
    });
  }
  Ranking out;
  out.users = static_cast<int64_t>(users.size());
  out.is_sampled = o.sampled_negatives > 0;
  std::set<int32_t> seen;
  double shown = 0;
  for (size_t at = 0; at < users.size(); ++at) {
    const auto m = static_cast<double>(users.size());
    out.hit += sums[at].hit / m;
    out.recall += sums[at].recall / m;
    out.precision += sums[at].precision / m;
    out.ndcg += sums[at].ndcg / m;
    out.map += sums[at].map / m;
    out.mrr += sums[at].mrr / m;
    for (const int32_t i : best[at]) {
      seen.insert(i);
      const auto has = static_cast<double>(known.of_item(i).size());
      out.popularity += has;
      out.novelty -= std::log2(std::max(has, 1.0) / static_cast<double>(known.n_users));
      ++shown;
    }
  }
  out.popularity /= std::max(shown, 1.0);
  out.novelty /= std::max(shown, 1.0);
  out.coverage = static_cast<double>(seen.size()) / static_cast<double>(n);
  return out;
}

}  // namespace glia::recommend
