// Recommenders against code as simple as their formulas, planted data and hostile input.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "glia/data.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/recommend/explicit.h"
#include "glia/recommend/implicit.h"
#include "glia/recommend/metrics.h"
#include "glia/recommend/neural.h"
#include "glia/tables/read.h"
#include "tests/support/instructions.h"
#include "tests/support/scratch.h"

namespace glia::recommend {
namespace {

// Ratings from 1 to 5 of factors that are planted; every `keep`-th pair is there.
Interactions planted(int64_t users = 40, int64_t items = 30, int64_t keep = 3) {
  Interactions out;
  for (int64_t u = 0; u < users; ++u) out.users.push_back("u" + std::to_string(u));
  for (int64_t i = 0; i < items; ++i) out.items.push_back("i" + std::to_string(i));
  data::Random random(3);
  for (int64_t u = 0; u < users; ++u)
    for (int64_t i = 0; i < items; ++i) {
      if (random.below(keep) != 0) continue;
      const double value = 3 + 0.7 * std::sin(static_cast<double>(u)) +
                           0.5 * std::cos(static_cast<double>(2 * i)) +
                           (u % 2 == i % 2 ? 0.8 : -0.8);
      out.user.push_back(static_cast<int32_t>(u));
      out.item.push_back(static_cast<int32_t>(i));
      out.rating.push_back(std::clamp(std::round(value), 1.0, 5.0));
      out.time.push_back(static_cast<int64_t>(random.below(1000)));
    }
  out.rating_scale = {1, 5};
  return out;
}

// Four groups of users who have items of their group and few others.
Interactions groups() {
  Interactions out;
  for (int u = 0; u < 80; ++u) out.users.push_back(std::to_string(u));
  for (int i = 0; i < 48; ++i) out.items.push_back(std::to_string(i));
  data::Random random(5);
  for (int32_t u = 0; u < 80; ++u)
    for (int32_t i = 0; i < 48; ++i)
      if (random.uniform() < (u % 4 == i % 4 ? 0.6 : 0.06)) {
        out.user.push_back(u);
        out.item.push_back(i);
        out.rating.push_back(1);
        out.time.push_back(static_cast<int64_t>(out.time.size()));
      }
  return out;
}

std::string fault_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  ADD_FAILURE() << "nothing is thrown";
  return "";
}

// ---- Reading and splitting --------------------------------------------------------------------

using ReadingTest = test::ScratchWorkingFolder;

TEST_F(ReadingTest, TakesColumnsByNameOrPlace) {
  io::write_file_atomic("a.csv",
                        "stars,movieId,user_id,timestamp\n4,Up,Ann,10\n2,Ran,Bob,11\n5,Up,Bob,12\n"
                        "1,Up,Ann,30\n3,Up,Ann,20\n");
  const Interactions a = read_interactions("a.csv");
  EXPECT_EQ(a.users, (std::vector<std::string>{"Ann", "Bob"}));
  EXPECT_EQ(a.items, (std::vector<std::string>{"Up", "Ran"}));
  EXPECT_EQ(a.rating, (std::vector<double>{1, 2, 5}));  // Ann's latest counts
  EXPECT_EQ(a.time, (std::vector<int64_t>{30, 11, 12}));
  EXPECT_EQ(a.rating_scale, (std::pair<double, double>{1, 5}));
  io::write_file_atomic("b.tsv", "7\t9\t3.5\n8\t9\t1\n");
  const Interactions b = read_interactions("b.tsv");
  EXPECT_EQ(b.users, (std::vector<std::string>{"7", "8"}));
  EXPECT_EQ(b.rating, (std::vector<double>{3.5, 1}));
  EXPECT_TRUE(b.time.empty());
  io::write_file_atomic("c.csv", "who,what\nx,y\n");
  EXPECT_EQ(read_interactions("c.csv").rating, std::vector<double>{1});
  const Interactions d = read_interactions("a.csv", {.user = "movieId", .item = "user_id"});
  EXPECT_EQ(d.users[0], "Up");
}

TEST_F(ReadingTest, NamesWhatIsWrong) {
  io::write_file_atomic("a.csv", "user,item,rating\nx,y,3\nx,,4\n");
  EXPECT_NE(fault_of([] { read_interactions("a.csv"); }).find("a.csv: row 2: there is no item"),
            std::string::npos);
  io::write_file_atomic("b.csv", "user,item,rating\nx,y,good\n");
  EXPECT_NE(fault_of([] { read_interactions("b.csv"); }).find("'rating'"), std::string::npos);
  io::write_file_atomic("c.csv", "user,item,rating\nx,y,\nx,z,1\n");
  EXPECT_NE(fault_of([] { read_interactions("c.csv"); }).find("row 1"), std::string::npos);
  io::write_file_atomic("d.csv", "user,item,rating\n");
  fault_of([] { read_interactions("d.csv"); });
  io::write_file_atomic("e.csv", "user\nx\n");
  fault_of([] { read_interactions("e.csv"); });
  EXPECT_NE(fault_of([] { read_interactions("a.csv", {.time = "when"}); }).find("when"),
            std::string::npos);
}

TEST(Splits, TakeEachRowOnce) {
  const Interactions all = planted();
  const auto check = [&](const Fold& f, int64_t tested) {
    std::set<int64_t> rows(f.train.begin(), f.train.end());
    rows.insert(f.test.begin(), f.test.end());
    EXPECT_EQ(rows.size(), all.user.size());
    EXPECT_EQ(f.train.size() + f.test.size(), all.user.size());
    if (tested > 0) {
      EXPECT_EQ(f.test.size(), static_cast<size_t>(tested));
    }
  };
  std::set<int64_t> tested;
  for (const Fold& f : k_fold(all, {.n_splits = 4, .random_state = 2})) {
    check(f, 0);
    for (const int64_t r : f.test) EXPECT_TRUE(tested.insert(r).second);
  }
  EXPECT_EQ(tested.size(), all.user.size());
  EXPECT_NE(k_fold(all, {.random_state = 1})[0].test, k_fold(all, {.random_state = 2})[0].test);
  check(random_split(all, 0.25), (all.size() + 3) / 4);
  const Fold late = time_split(all, 0.2);
  check(late, 0);
  int64_t latest = 0;
  for (const int64_t r : late.train) latest = std::max(latest, all.time[static_cast<size_t>(r)]);
  for (const int64_t r : late.test) EXPECT_GE(all.time[static_cast<size_t>(r)], latest);
  const Fold left = leave_one_out(all);
  check(left, 40);
  for (const int64_t r : left.test)
    for (const int64_t o : left.train)
      EXPECT_TRUE(all.user[static_cast<size_t>(r)] != all.user[static_cast<size_t>(o)] ||
                  all.time[static_cast<size_t>(r)] >= all.time[static_cast<size_t>(o)]);
  fault_of([&] { k_fold(all, {.n_splits = 1}); });
  fault_of([&] { random_split(all, 1.5); });
  fault_of([&] { all.take(std::vector<int64_t>{all.size()}); });
  Interactions timeless = all;
  timeless.time.clear();
  fault_of([&] { time_split(timeless); });
}

// ---- Formulas ---------------------------------------------------------------------------------

using Matrix = std::vector<std::vector<double>>;
Matrix rows_of(const Variable& v) {
  const auto all = v.tensor().to_vector<double>();
  const int64_t width = v.shape().size(1);
  Matrix out;
  for (size_t i = 0; i < all.size(); i += static_cast<size_t>(width))
    out.emplace_back(all.begin() + static_cast<int64_t>(i),
                     all.begin() + static_cast<int64_t>(i) + width);
  return out;
}

TEST(SVDTest, IsGradientDescentOneRatingAfterTheOther) {
  const Interactions data = planted();
  for (const bool biased : {true, false}) {
    SVD model({.n_factors = 11, .n_epochs = 4, .biased = biased, .random_state = 7});
    model.initialise(data);
    Matrix p = rows_of(model.pu), q = rows_of(model.qi);
    std::vector<double> bu(40), bi(30);
    model.learn();
    const double mu = biased ? model.ratings().global_mean : 0;
    for (int epoch = 0; epoch < 4; ++epoch)
      for (size_t u = 0; u < 40; ++u)
        for (const auto& [item, r] : model.ratings().of_user(static_cast<int64_t>(u))) {
          const auto i = static_cast<size_t>(item);
          double error = r - mu - bu[u] - bi[i];
          for (size_t f = 0; f < 11; ++f) error -= p[u][f] * q[i][f];
          if (biased) {
            bu[u] += 0.005 * (error - 0.02 * bu[u]);
            bi[i] += 0.005 * (error - 0.02 * bi[i]);
          }
          for (size_t f = 0; f < 11; ++f) {
            const double pf = p[u][f], qf = q[i][f];
            p[u][f] += 0.005 * (error * qf - 0.02 * pf);
            q[i][f] += 0.005 * (error * pf - 0.02 * qf);
          }
        }
    for (size_t u = 0; u < 40; ++u)
      for (size_t i = 0; i < 30; ++i) {
        double want = mu + bu[u] + bi[i];
        for (size_t f = 0; f < 11; ++f) want += p[u][f] * q[i][f];
        EXPECT_NEAR(model.predict(static_cast<int64_t>(u), static_cast<int64_t>(i)),
                    std::clamp(want, 1.0, 5.0), 1e-12);
      }
  }
}

TEST(SVDppTest, MovesAllImplicitFactorsOfAUserAtOnce) {
  const Interactions data = planted();
  SVDpp model({.n_factors = 5, .n_epochs = 3, .random_state = 7});
  model.initialise(data);
  Matrix p = rows_of(model.pu), q = rows_of(model.qi), y = rows_of(model.yj);
  std::vector<double> bu(40), bi(30);
  model.learn();
  const double mu = model.ratings().global_mean, lr = 0.007, reg = 0.02;
  for (int epoch = 0; epoch < 3; ++epoch)
    for (size_t u = 0; u < 40; ++u) {
      const auto row = model.ratings().of_user(static_cast<int64_t>(u));
      const double root = std::sqrt(static_cast<double>(row.size()));
      for (const auto& [item, r] : row) {
        const auto i = static_cast<size_t>(item);
        std::vector<double> sum(5);
        for (const auto& e : row)
          for (size_t f = 0; f < 5; ++f) sum[f] += y[static_cast<size_t>(e.index)][f] / root;
        double error = r - mu - bu[u] - bi[i];
        for (size_t f = 0; f < 5; ++f) error -= q[i][f] * (p[u][f] + sum[f]);
        bu[u] += lr * (error - reg * bu[u]);
        bi[i] += lr * (error - reg * bi[i]);
        for (size_t f = 0; f < 5; ++f) {
          const double pf = p[u][f], qf = q[i][f];
          p[u][f] += lr * (error * qf - reg * pf);
          q[i][f] += lr * (error * (pf + sum[f]) - reg * qf);
          for (const auto& e : row) {
            double& yf = y[static_cast<size_t>(e.index)][f];
            yf += lr * (error * qf / root - reg * yf);
          }
        }
      }
    }
  const Matrix own = rows_of(model.yj);
  for (size_t i = 0; i < 30; ++i)
    for (size_t f = 0; f < 5; ++f) EXPECT_NEAR(own[i][f], y[i][f], 1e-12);
  const Matrix items = rows_of(model.qi);
  for (size_t i = 0; i < 30; ++i)
    for (size_t f = 0; f < 5; ++f) EXPECT_NEAR(items[i][f], q[i][f], 1e-12);
}

TEST(NMFTest, MultipliesByWhatItsFormulaSays) {
  const Interactions data = planted();
  NMF model({.n_factors = 4, .n_epochs = 3, .random_state = 2});
  model.initialise(data);
  Matrix p = rows_of(model.pu), q = rows_of(model.qi);
  model.learn();
  for (int epoch = 0; epoch < 3; ++epoch) {
    Matrix pa(40, std::vector<double>(4)), pb = pa, qa(30, std::vector<double>(4)), qb = qa;
    for (size_t k = 0; k < data.user.size(); ++k) {
      const auto u = static_cast<size_t>(data.user[k]), i = static_cast<size_t>(data.item[k]);
      double said = 0;
      for (size_t f = 0; f < 4; ++f) said += p[u][f] * q[i][f];
      for (size_t f = 0; f < 4; ++f) {
        pa[u][f] += q[i][f] * data.rating[k], pb[u][f] += q[i][f] * said + 0.06 * p[u][f];
        qa[i][f] += p[u][f] * data.rating[k], qb[i][f] += p[u][f] * said + 0.06 * q[i][f];
      }
    }
    for (size_t f = 0; f < 4; ++f) {
      for (size_t u = 0; u < 40; ++u) p[u][f] *= pa[u][f] / pb[u][f];
      for (size_t i = 0; i < 30; ++i) q[i][f] *= qa[i][f] / qb[i][f];
    }
  }
  const Matrix own = rows_of(model.pu), items = rows_of(model.qi);
  for (size_t f = 0; f < 4; ++f) {
    for (size_t u = 0; u < 40; ++u) EXPECT_NEAR(own[u][f], p[u][f], 1e-10);
    for (size_t i = 0; i < 30; ++i) EXPECT_NEAR(items[i][f], q[i][f], 1e-10);
  }
  EXPECT_GE(min(model.pu.tensor()).item(), 0);
  Interactions negative = data;
  negative.rating[0] = -1;
  fault_of([&] { NMF().fit(negative); });
}

TEST(BaselineTest, SolvesItsEquations) {
  const Interactions data = planted();
  BaselineOnly model({.n_epochs = 200});
  model.fit(data);
  const auto bu = model.bu.tensor().to_vector<double>(), bi = model.bi.tensor().to_vector<double>();
  const RatingMatrix& all = model.ratings();
  for (int64_t u = 0; u < all.n_users; ++u) {
    double sum = 0;
    for (const auto& [i, r] : all.of_user(u))
      sum += r - all.global_mean - bi[static_cast<size_t>(i)];
    EXPECT_NEAR(bu[static_cast<size_t>(u)] * (15 + static_cast<double>(all.of_user(u).size())), sum,
                1e-9);
  }
  BaselineOnly sgd({.method = BaselineMethod::kSGD});
  sgd.fit(data);
  EXPECT_LT(rmse(sgd, data), 1.1);
  NormalPredictor normal;
  normal.fit(data);
  EXPECT_GT(rmse(normal, data), rmse(sgd, data));
}

TEST(KNNTest, IsWhatItsFormulasSay) {
  const Interactions data = planted();
  const RatingMatrix all(data);
  std::map<std::pair<int32_t, int32_t>, double> rating;
  for (size_t k = 0; k < data.user.size(); ++k)
    rating[{data.user[k], data.item[k]}] = data.rating[k];
  const auto sim =
      similarities(all, {.name = Similarity::kMSD, .user_based = true}).to_vector<double>();
  const auto cosine =
      similarities(all, {.name = Similarity::kCosine, .user_based = false, .min_support = 3})
          .to_vector<double>();
  const auto pearson = similarities(all, {.name = Similarity::kPearson}).to_vector<double>();
  for (int32_t u = 0; u < 40; ++u)
    for (int32_t v = 0; v < 40; ++v) {
      double squares = 0, n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
      for (int32_t i = 0; i < 30; ++i) {
        if (!rating.count({u, i}) || !rating.count({v, i})) continue;
        const double a = rating[{u, i}], b = rating[{v, i}];
        ++n, squares += (a - b) * (a - b), x += a, y += b, xx += a * a, yy += b * b, xy += a * b;
      }
      const auto at = static_cast<size_t>(u * 40 + v);
      EXPECT_NEAR(sim[at], u == v ? 1 : n == 0 ? 0 : 1 / (squares / n + 1), 1e-12);
      const double below = std::sqrt((n * xx - x * x) * (n * yy - y * y));
      EXPECT_NEAR(pearson[at], u == v ? 1 : below > 0 ? (n * xy - x * y) / below : 0, 1e-9);
    }
  for (int32_t i = 0; i < 30; ++i)
    for (int32_t j = 0; j < 30; ++j) {
      double n = 0, xx = 0, yy = 0, xy = 0;
      for (int32_t u = 0; u < 40; ++u) {
        if (!rating.count({u, i}) || !rating.count({u, j})) continue;
        const double a = rating[{u, i}], b = rating[{u, j}];
        ++n, xx += a * a, yy += b * b, xy += a * b;
      }
      EXPECT_NEAR(cosine[static_cast<size_t>(i * 30 + j)],
                  i == j  ? 1
                  : n < 3 ? 0
                          : xy / std::sqrt(xx * yy),
                  1e-12);
    }
  KNNBasic model({.k = 5});
  model.fit(data);
  for (int32_t u = 0; u < 40; u += 7)
    for (int32_t i = 0; i < 30; ++i) {
      std::vector<std::pair<double, double>> near;
      for (int32_t v = 0; v < 40; ++v)
        if (rating.count({v, i}) && sim[static_cast<size_t>(u * 40 + v)] > 0)
          near.emplace_back(-sim[static_cast<size_t>(u * 40 + v)], rating[{v, i}]);
      std::ranges::stable_sort(near, {}, &std::pair<double, double>::first);
      double weights = 0, sum = 0;
      for (size_t k = 0; k < std::min<size_t>(5, near.size()); ++k) {
        weights -= near[k].first;
        sum -= near[k].first * near[k].second;
      }
      EXPECT_NEAR(model.predict(u, i), sum / weights, 1e-12);
    }
  fault_of([&] { KNNBasic({.k = 0}).fit(data); });
}

TEST(SlopeOneTest, KeepsHalves) {
  // Of the paper's example, with halves: A (1, 1.5), B 2 of the first.
  Interactions data{.users = {"A", "B"}, .items = {"I", "J"}};
  data.user = {0, 0, 1};
  data.item = {0, 1, 0};
  data.rating = {1, 1.5, 2};
  data.rating_scale = {0, 5};
  SlopeOne model;
  model.fit(data);
  EXPECT_NEAR(model.predict(1, 1), 2.5, 1e-12);
}

TEST(CoClusteringTest, FindsBlocks) {
  CoClustering model({.n_cltr_u = 2, .n_cltr_i = 2, .n_epochs = 20, .random_state = 1});
  const Interactions data = planted(60, 40, 2);
  model.fit(data);
  BaselineOnly baseline;
  baseline.fit(data);
  EXPECT_LT(rmse(model, data), 0.8 * rmse(baseline, data));
}

TEST(EASETest, IsItsClosedForm) {
  const Interactions data = groups();
  EASE model({.reg_weight = 20});
  model.fit(data);
  const int64_t n = data.n_items();
  std::vector<double> x(static_cast<size_t>(data.n_users() * n));
  for (size_t k = 0; k < data.user.size(); ++k)
    x[static_cast<size_t>(data.user[k] * n + data.item[k])] = 1;
  const Tensor m = from_vector(x, {data.n_users(), n});
  const Tensor gram = matmul(transpose(m), m), b = cast(model.weights.tensor(), kF64);
  // The gradient is zero but for what holds the diagonal at zero.
  const Tensor slope = matmul(gram, b) + 20 * b - gram;
  EXPECT_LT(max(abs(slope * (1 - eye(n, kF64)))).item(), 1e-4);
  EXPECT_EQ(max(abs(b * eye(n, kF64))).item(), 0);
}

TEST(SLIMTest, IsOptimal) {
  const Interactions data = groups();
  const double alpha = 0.1, ratio = 0.3, users = 80;
  SLIM model({.alpha = alpha, .l1_ratio = ratio, .max_iter = 1000, .tol = 1e-9});
  model.fit(data);
  const int64_t n = data.n_items();
  std::vector<double> x(static_cast<size_t>(data.n_users() * n));
  for (size_t k = 0; k < data.user.size(); ++k)
    x[static_cast<size_t>(data.user[k] * n + data.item[k])] = 1;
  const Tensor m = from_vector(x, {data.n_users(), n});
  const Tensor gram = matmul(transpose(m), m), w = cast(model.weights.tensor(), kF64);
  const auto slope = ((matmul(gram, w) - gram) / users + alpha * (1 - ratio) * w + alpha * ratio)
                         .to_vector<double>();
  const auto weight = w.to_vector<double>();
  int64_t used = 0;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      const auto at = static_cast<size_t>(i * n + j);
      if (i == j) {
        EXPECT_EQ(weight[at], 0);
      } else if (weight[at] > 0) {
        ++used;
        EXPECT_NEAR(slope[at], 0, 1e-5);
      } else {
        EXPECT_GE(slope[at], -1e-5);
      }
    }
  EXPECT_GT(used, n);
}

TEST(ALSTest, FallsToTheLeastSquares) {
  ALS model({.factors = 4, .iterations = 30, .regularization = 0.5, .alpha = 5, .cg_steps = 4});
  std::vector<double> losses;
  model.on_epoch = [&](int64_t, double loss) {
    losses.push_back(loss);
    return true;
  };
  model.fit(groups());
  for (size_t k = 1; k < losses.size(); ++k) EXPECT_LE(losses[k], losses[k - 1] * (1 + 1e-5));
  EXPECT_NEAR(model.loss(), losses.back(), 1e-9);
  const Interactions data = groups();
  // The loss as it is defined, over all pairs.
  const auto x = model.user_factors.tensor().to_vector<float>(),
             y = model.item_factors.tensor().to_vector<float>();
  std::vector<double> c(static_cast<size_t>(80 * 48), 0);
  for (size_t k = 0; k < data.user.size(); ++k)
    c[static_cast<size_t>(data.user[k] * 48 + data.item[k])] = 5;
  double loss = 0, norms = 0, weights = 0;
  for (size_t u = 0; u < 80; ++u)
    for (size_t i = 0; i < 48; ++i) {
      double said = 0;
      for (size_t f = 0; f < 4; ++f)
        said += static_cast<double>(x[u * 4 + f]) * static_cast<double>(y[i * 4 + f]);
      const double own = c[u * 48 + i], weight = own > 0 ? own : 1;
      loss += weight * ((own > 0) - said) * ((own > 0) - said);
      weights += weight;
    }
  for (const float v : x) norms += static_cast<double>(v * v);
  for (const float v : y) norms += static_cast<double>(v * v);
  EXPECT_NEAR(model.loss(), (loss + 0.5 * norms) / weights, 1e-5);
}

// ---- All of them ------------------------------------------------------------------------------

ModelOptions quick(const std::string& name) {
  ModelOptions o{.random_state = 4};
  if (name == "neumf" || name == "two-tower" || name == "lightgcn") o.epochs = 30;
  if (name == "bpr") o = {.factors = 8, .epochs = 60, .lr = 0.05, .random_state = 4};
  if (name == "als") o = {.factors = 6, .epochs = 10, .reg = 0.1, .random_state = 4};
  if (name == "slim") o.reg = 0.01;
  if (name == "ease") o.reg = 20;
  if (name == "neumf" || name == "two-tower" || name == "lightgcn") o.lr = 0.01;
  if (name == "mult-vae") o = {.epochs = 80, .random_state = 4};
  if (name == "fm" || name == "deepfm") o = {.factors = 4, .epochs = 3, .random_state = 4};
  if (name == "gru4rec" || name == "sasrec") o = {.factors = 16, .epochs = 2, .random_state = 4};
  return o;
}

TEST(AllModels, RankPlantedGroupsAndComeBackFromTheirState) {
  const Interactions all = groups();
  const Fold fold = random_split(all, 0.2, 1);
  const Interactions train = all.take(fold.train), test = all.take(fold.test);
  MostPopular popular;
  popular.fit(train);
  const double floor = rank(popular, test).ndcg;
  const std::set<std::string> rankers = {"item-knn", "ease",     "slim",     "als",      "bpr",
                                         "neumf",    "mult-vae", "lightgcn", "two-tower"};
  for (const std::string& name : recommender_names()) {
    const auto model = make_recommender(name, quick(name));
    model->fit(train);
    const std::vector<float> scores = model->scores({0, 7, 79}).to_vector<float>();
    EXPECT_TRUE(!rankers.count(name) || rank(*model, test).ndcg > 1.5 * floor) << name;
    const auto again = make_recommender(name, quick(name));
    again->initialise(train);
    again->load_state_dict(model->state_dict());
    again->eval();
    EXPECT_EQ(again->scores({0, 7, 79}).to_vector<float>(), scores) << name;
    const auto best = model->recommend(7, 5);
    EXPECT_LE(best.size(), 5u);
    for (const Recommendation& r : best)
      for (const auto& e : model->ratings().of_user(7)) EXPECT_NE(r.item, e.index) << name;
    fault_of([&] { model->recommend(80); });
    fault_of([&] { make_recommender(name, quick(name))->scores({0}); });
  }
  fault_of([] { make_recommender("svt"); });
  fault_of([] { SVD().fit(Interactions{}); });
}

// What they do is tested above, at the level in use. The second of two epochs is watched.
TEST(VectorLoopsDeathTest, AreThoseOfTheLevelInUse) {
  const Interactions some = planted(2, 3, 2);
  const auto fit_each = [&] {
    for (const char* name : {"svd", "svdpp", "nmf", "als", "bpr"}) {
      test::watch_from_here(false);
      const auto model = make_recommender(name, {.factors = 2, .epochs = 2});
      model->on_epoch = [](int64_t epoch, double) {
        test::watch_from_here(epoch == 1);
        return true;
      };
      model->fit(some);
    }
  };
  test::expect_each_level(
      "libglia_recommend", [] {}, fit_each);
}

TEST(RatingModels, LeaveFormulasWhereNothingIsKnown) {
  Interactions all = planted();
  all.users.push_back("new");
  all.items.push_back("new");
  for (const std::string& name : recommender_names()) {
    const auto model = make_recommender(name, quick(name));
    const auto* rating = dynamic_cast<const RatingModel*>(model.get());
    if (!rating) continue;
    model->fit(all);
    for (const auto& [u, i] : {std::pair<int64_t, int64_t>{40, 3}, {3, 30}, {40, 30}}) {
      const double said = rating->predict(u, i);
      EXPECT_TRUE(said >= 1 && said <= 5) << name << " " << said;
    }
    EXPECT_TRUE(name == "fm" || name == "deepfm" || rmse(*rating, all) < 1.2) << name;
  }
}

TEST(Sequences, KnowWhatComesNext) {
  // Each user walks on around a ring of 12 items, over and over from another place.
  Interactions all;
  for (int i = 0; i < 12; ++i) all.items.push_back(std::to_string(i));
  for (int32_t u = 0; u < 60; ++u) {
    all.users.push_back(std::to_string(u));
    for (int32_t t = 0; t < 6; ++t) {
      all.user.push_back(u);
      all.item.push_back((u + t) % 12);
      all.rating.push_back(1);
      all.time.push_back(t);
    }
  }
  GRU4Rec gru({.factors = 16,
               .hidden = 32,
               .max_length = 6,
               .dropout = 0,
               .network = {.epochs = 60, .batch_size = 32, .lr = 0.01}});
  SASRec attention({.factors = 16,
                    .n_layers = 1,
                    .inner_size = 32,
                    .max_length = 6,
                    .dropout = 0,
                    .network = {.epochs = 60, .batch_size = 32, .lr = 0.01}});
  for (SequenceModel* model : std::initializer_list<SequenceModel*>{&gru, &attention}) {
    model->fit(all);
    for (int32_t at = 0; at < 12; ++at)
      EXPECT_EQ(argmax(model->next({(at + 10) % 12, (at + 11) % 12, at})).item<int64_t>(),
                (at + 1) % 12);
    fault_of([&] { model->next({}); });
    fault_of([&] { model->next({12}); });
  }
}

}  // namespace
}  // namespace glia::recommend
