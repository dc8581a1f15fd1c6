#include "glia/recommend/model.h"

#include <algorithm>
#include <cmath>

#include "glia/parallel.h"

namespace glia::recommend {
namespace {

constexpr size_t kReasons = 3;
constexpr int64_t kChunk = 256;

}  // namespace

void Recommender::initialise(const Interactions& train) {
  ratings_ = std::make_shared<const RatingMatrix>(train);
  interactions_ = std::make_shared<const Interactions>(train);
  const auto [least, most] = std::ranges::minmax_element(train.rating);
  const auto [low, high] = train.rating_scale;
  scale_ = low < high ? train.rating_scale : std::pair{*least, *most};
  begin();
}

void Recommender::learn() {
  ratings();
  run();
}

void Recommender::fit(const Interactions& train) {
  initialise(train);
  run();
}

const RatingMatrix& Recommender::ratings() const {
  if (!ratings_) throw ValueError("the model has no training data: fit() or initialise() it first");
  return *ratings_;
}

Tensor Recommender::scores(const std::vector<int32_t>& users) const {
  for (const int32_t u : users)
    if (u < 0 || u >= ratings().n_users)
      throw ValueError("there is no user " + std::to_string(u) + " of " +
                       std::to_string(ratings().n_users));
  const NoGrad none;
  return score(users);
}

double Recommender::reason(int64_t, int64_t, double) const {
  return std::numeric_limits<double>::quiet_NaN();
}

std::vector<Recommendation> Recommender::recommend(int64_t user, int64_t n,
                                                   bool filter_already_liked_items) const {
  if (n < 1) throw ValueError("recommend: n " + std::to_string(n) + " is not positive");
  if (user < 0 || user >= ratings().n_users)
    throw ValueError("there is no user " + std::to_string(user) + " of " +
                     std::to_string(ratings().n_users));
  const std::vector<float> all = scores({static_cast<int32_t>(user)}).to_vector<float>();
  std::vector<bool> out_of(all.size(), false);
  const auto has = ratings().of_user(user);
  if (filter_already_liked_items)
    for (const auto& e : has) out_of[static_cast<size_t>(e.index)] = true;
  std::vector<int64_t> order;
  for (size_t i = 0; i < all.size(); ++i)
    if (!out_of[i] && !std::isnan(all[i])) order.push_back(static_cast<int64_t>(i));
  const auto count = std::min<int64_t>(n, static_cast<int64_t>(order.size()));
  std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](int64_t a, int64_t b) {
    const float x = all[static_cast<size_t>(a)], y = all[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);
  });
  std::vector<Recommendation> out;
  for (int64_t k = 0; k < count; ++k) {
    Recommendation r{order[static_cast<size_t>(k)],
                     static_cast<double>(all[static_cast<size_t>(order[static_cast<size_t>(k)])])};
    for (const auto& e : has) {
      const double speaks = e.index == r.item ? 0 : reason(r.item, e.index, e.rating);
      if (speaks > 0) r.because.emplace_back(e.index, speaks);
    }
    std::ranges::stable_sort(r.because, std::greater(), &std::pair<int64_t, double>::second);
    if (r.because.size() > kReasons) r.because.resize(kReasons);
    out.push_back(std::move(r));
  }
  return out;
}

double RatingModel::predict(int64_t user, int64_t item) const {
  Interactions one{.users = {}, .items = {}};
  one.user = {static_cast<int32_t>(user)};
  one.item = {static_cast<int32_t>(item)};
  return predict(one).front();
}

std::vector<double> RatingModel::predict(const Interactions& pairs) const {
  const RatingMatrix& known = ratings();
  for (size_t k = 0; k < pairs.user.size(); ++k)
    if (pairs.user[k] < 0 || pairs.user[k] >= known.n_users || pairs.item[k] < 0 ||
        pairs.item[k] >= known.n_items)
      throw ValueError("predict: there is no user " + std::to_string(pairs.user[k]) +
                       " or no item " + std::to_string(pairs.item[k]));
  std::vector<double> out = estimates(pairs.user, pairs.item);
  for (double& value : out) value = std::clamp(value, scale().first, scale().second);
  return out;
}

RatingModel::Estimate RatingModel::estimate() const {
  return [this](int64_t user, int64_t item) {
    return estimates({static_cast<int32_t>(user)}, {static_cast<int32_t>(item)}).front();
  };
}

std::vector<double> RatingModel::estimates(const std::vector<int32_t>& users,
                                           const std::vector<int32_t>& items) const {
  const Estimate f = estimate();
  std::vector<double> out(users.size());
  const auto count = static_cast<int64_t>(out.size());
  parallel_for((count + kChunk - 1) / kChunk, [&](int64_t chunk) {
    for (int64_t k = chunk * kChunk; k < std::min(count, (chunk + 1) * kChunk); ++k)
      out[static_cast<size_t>(k)] = f(users[static_cast<size_t>(k)], items[static_cast<size_t>(k)]);
  });
  return out;
}

Tensor RatingModel::score(const std::vector<int32_t>& users) const {
  const int64_t items = ratings().n_items;
  std::vector<int32_t> who, what;
  for (const int32_t u : users)
    for (int64_t i = 0; i < items; ++i) {
      who.push_back(u);
      what.push_back(static_cast<int32_t>(i));
    }
  const std::vector<double> all = estimates(who, what);
  return from_vector(std::vector<float>(all.begin(), all.end()),
                     {static_cast<int64_t>(users.size()), items});
}

}  // namespace glia::recommend
