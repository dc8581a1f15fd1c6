// How good recommenders are, counted by hand.
#include "glia/recommend/metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/recommend/explicit.h"
#include "glia/recommend/implicit.h"

namespace glia::recommend {
namespace {

class Fixed : public Recommender {
 public:
  std::vector<float> values;

 private:
  void begin() override {}
  void run() override {}
  Tensor score(const std::vector<int32_t>& users) const override {
    const auto n = static_cast<int64_t>(values.size());
    return expand(from_vector(values, {1, n}), {static_cast<int64_t>(users.size()), n});
  }
};

TEST(RankingTest, IsCountedByHand) {
  Interactions train{.users = {"a", "b"}, .items = {"0", "1", "2", "3", "4", "5"}};
  train.user = {0, 1, 1};
  train.item = {0, 0, 1};
  train.rating = {1, 1, 1};
  Interactions test = train;
  test.user = {0, 0, 1};
  test.item = {2, 5, 3};
  Fixed model;
  model.values = {9, 8, 7, 6, 5, 4};
  model.fit(train);
  const Ranking r = rank(model, test, {.k = 3});
  // a: 1 2 3, of which 2 is right, of two; b: 2 3 4, of which 3.
  EXPECT_NEAR(r.hit, 1, 1e-12);
  EXPECT_NEAR(r.recall, 0.75, 1e-12);
  EXPECT_NEAR(r.precision, 1 / 3.0, 1e-12);
  EXPECT_NEAR(r.mrr, 0.5, 1e-12);
  EXPECT_NEAR(r.map, (0.25 + 0.5) / 2, 1e-12);
  const double one = 1 / std::log2(3.0);
  EXPECT_NEAR(r.ndcg, (one / (1 + one) + one) / 2, 1e-12);
  EXPECT_NEAR(r.coverage, 4 / 6.0, 1e-12);
  EXPECT_EQ(r.users, 2);
  EXPECT_FALSE(r.is_sampled);
  model.values = {1, 1, 1, 1, 1, 1};  // ties are no luck
  model.fit(train);
  EXPECT_EQ(rank(model, test, {.k = 3}).hit, 0);
  EXPECT_TRUE(rank(model, test, {.k = 3, .sampled_negatives = 2}).is_sampled);
  EXPECT_THROW(rank(model, Interactions{}, {}), Error);
  EXPECT_THROW(rank(model, test, {.k = 0}), Error);
}

TEST(ErrorsTest, AreCountedByHand) {
  Interactions data{.users = {"a"}, .items = {"0", "1"}};
  data.user = {0, 0};
  data.item = {0, 1};
  data.rating = {1, 4};
  BaselineOnly model({.reg_u = 1e12, .reg_i = 1e12});  // says the mean
  model.fit(data);
  EXPECT_NEAR(rmse(model, data), 1.5, 1e-9);
  EXPECT_NEAR(mae(model, data), 1.5, 1e-9);
  EXPECT_EQ(fcp(model, data), 1);
  EXPECT_THROW(rmse(model, Interactions{}), Error);
}

}  // namespace
}  // namespace glia::recommend
