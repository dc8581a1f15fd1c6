// Estimators by their names: options, what they have not, files.
#include "glia/classic/estimator.h"

#include <gtest/gtest.h>

#include "classic_data.h"
#include "glia/classic/cluster.h"
#include "glia/classic/metrics.h"
#include "glia/ops.h"
#include "tests/support/scratch.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::message_of;

class EstimatorFiles : public glia::test::Scratch {};

ParamValue value_of(const Estimator& e, const std::string& name) {
  for (const auto& [key, value] : get_params(e))
    if (key == name) return value;
  ADD_FAILURE() << "no option " << name;
  return {};
}

TEST(Params, AreReadAndSet) {
  KMeans kmeans;
  EXPECT_EQ(value_of(kmeans, "n_clusters"), ParamValue(int64_t{8}));
  EXPECT_EQ(value_of(kmeans, "n_init"), ParamValue());
  EXPECT_EQ(value_of(kmeans, "init"), ParamValue("k-means++"));
  set_params(kmeans, {{"n_clusters", int64_t{3}},
                      {"init", "random"},
                      {"n_init", 2.0},
                      {"tol", int64_t{1}},
                      {"random_state", int64_t{7}}});
  EXPECT_EQ(kmeans.options().n_clusters, 3);
  EXPECT_EQ(kmeans.options().init, KMeansInit::kRandom);
  EXPECT_EQ(kmeans.options().n_init, 2);
  EXPECT_EQ(kmeans.options().tol, 1.0);
  EXPECT_EQ(to_text(kmeans), "KMeans(n_clusters=3, init=random, n_init=2, tol=1, random_state=7)");
  set_params(kmeans, {{"n_init", ParamValue()}});
  EXPECT_FALSE(kmeans.options().n_init);
}

TEST(Params, WhatDoesNotFitChangesNothing) {
  KMeans kmeans;
  const auto message = [&](const ParamValues& values) {
    return message_of<ValueError>([&] { set_params(kmeans, values); });
  };
  EXPECT_NE(
      message({{"n_clusters", int64_t{3}}, {"clusters", int64_t{3}}}).find("clusters; it has"),
      std::string::npos);
  EXPECT_NE(
      message({{"n_clusters", int64_t{3}}, {"tol", "much"}}).find("tol is a number, not much"),
      std::string::npos);
  EXPECT_NE(message({{"algorithm", "full"}}).find("one of lloyd, elkan"), std::string::npos);
  EXPECT_NE(message({{"n_clusters", 2.5}}).find("an integer, not 2.5"), std::string::npos);
  EXPECT_NE(message({{"random_state", int64_t{-1}}}).find("at least 0"), std::string::npos);
  EXPECT_EQ(kmeans.options().n_clusters, 8);
  set_params(kmeans, {{"n_clusters", int64_t{-3}}});
  EXPECT_THROW(kmeans.fit(ones({4, 2})), ValueError);
}

TEST(Estimators, SayWhatTheyHaveNot) {
  const Tensor x = ones({3, 2});
  EXPECT_NE(
      message_of<Error>([&] { make_estimator("PCA")->predict(x); }).find("PCA has no predict"),
      std::string::npos);
  EXPECT_NE(message_of<Error>([&] {
              make_estimator("PCA")->fit(x, {}, ones({3}));
            }).find("takes no sample_weight"),
            std::string::npos);
  EXPECT_NE(message_of<Error>([&] { make_estimator("pca"); }).find("there are "),
            std::string::npos);
}

// Each of them: a copy is independent, and a file gives it back.
TEST_F(EstimatorFiles, AreCopiedAndKept) {
  const test::Blobs b = test::blobs(80, 3, 2, 5);
  std::vector<int64_t> classes;
  for (const int64_t of : b.of) classes.push_back(of * 3 + 1);
  const Tensor y = from_vector(classes, {80}),
               x = (b.x - min(b.x)) / 10;  // some take nothing below 0
  const std::string path = file("estimator.safetensors");
  for (const std::string& name : estimator_names()) {
    SCOPED_TRACE(name);
    const std::unique_ptr<Estimator> fresh = make_estimator(name);
    EXPECT_EQ(fresh->name(), name);
    EXPECT_THROW(fresh->state_dict(), Error);
    if (name == "ColumnTransformer" || name == "FeatureUnion" || name == "Pipeline")
      continue;                              // nothing without parts: compose_test
    if (name.ends_with("RandomProjection"))  // as few directions as eps asks for
      set_params(*fresh, {{"n_components", int64_t{2}}});
    const std::unique_ptr<Estimator> one = fresh->clone();
    const Tensor taken = name == "CategoricalNB"        ? floor(x * 5)
                         : name == "IsotonicRegression" ? slice(x, 1, {.stop = 1})
                                                        : x;
    one->fit(taken, y);
    EXPECT_FALSE(fresh->fitted());
    EXPECT_EQ(one->n_features_in, taken.size(1));
    write_estimator(path, *one, {{"note", "kept"}});
    io::Metadata metadata;
    const std::unique_ptr<Estimator> read = read_estimator(path, &metadata);
    EXPECT_NE(std::find(metadata.begin(), metadata.end(),
                        std::pair<std::string, std::string>("note", "kept")),
              metadata.end());
    EXPECT_EQ(read->name(), name);
    EXPECT_EQ(get_params(*read), get_params(*one));
    const StateDict before = one->state_dict(), after = read->state_dict();
    ASSERT_EQ(before.size(), after.size());
    for (size_t i = 0; i < before.size(); ++i) {
      const auto found = std::find_if(after.begin(), after.end(), [&](const auto& entry) {
        return entry.first == before[i].first;
      });
      ASSERT_NE(found, after.end()) << before[i].first;
      expect_same(found->second, before[i].second);
    }
  }
}

TEST(Metrics, AccuracyAndR2) {
  const Tensor y = tensor({0, 1, 2, 1}), guess = tensor({0, 1, 1, 1});
  EXPECT_EQ(accuracy_score(y, guess), 0.75);
  EXPECT_EQ(accuracy_score(y, guess, tensor({1., 1., 2., 0.})), 0.5);
  const Tensor t = tensor({3., -0.5, 2., 7.}), p = tensor({2.5, 0., 2., 8.});
  EXPECT_NEAR(r2_score(t, p), 0.9486081370449679, 1e-15);  // scikit-learn's documentation
  EXPECT_EQ(r2_score(ones({3}), ones({3})), 1);
  EXPECT_EQ(r2_score(ones({3}), zeros({3})), 0);
  EXPECT_TRUE(std::isnan(r2_score(ones({1}), ones({1}))));
  EXPECT_THROW(r2_score(ones({3}), ones({2})), ShapeError);
}

}  // namespace
}  // namespace glia::classic
