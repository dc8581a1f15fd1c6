// Pipelines, unions, columns of tables, encoders and imputers; files of all of them.
#include "glia/classic/compose.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "classic_data.h"
#include "glia/classic/decomposition.h"
#include "glia/classic/dummy.h"
#include "glia/classic/encoders.h"
#include "glia/classic/feature_selection.h"
#include "glia/classic/impute.h"
#include "glia/classic/preprocessing.h"
#include "glia/ops.h"
#include "tests/support/scratch.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::expect_values;
using glia::test::message_of;
using tables::Column;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class ComposeFiles : public glia::test::ScratchWorkingFolder {};

NamedEstimators steps() {
  NamedEstimators out;
  out.emplace_back("scale", std::make_unique<StandardScaler>());
  out.emplace_back("pca", std::make_unique<PCA>(PCAOptions{.n_components = 2}));
  return out;
}

tables::Table people() {
  return tables::Table({Column::from_floats("age", {30, kNaN, 50, 40}),
                        Column::from_texts("town", {"Ulm", "Bonn", std::nullopt, "Ulm"}),
                        Column::from_bools("member", {1, 0, 1, 1}),
                        Column::from_dates("since", {0, 86400000000, tables::kNoDate, 0}),
                        Column::from_floats("empty", {kNaN, kNaN, kNaN, kNaN}),
                        Column::from_texts("buys", {"yes", "no", "yes", "yes"})});
}

TEST_F(ComposeFiles, APipelineIsItsStepsOneAfterTheOther) {
  const Tensor x = test::blobs(40, 4, 2, 3).x;
  Pipeline pipeline(steps());
  EXPECT_EQ(pipeline.kind(), EstimatorKind::kTransformer);
  const Tensor got = pipeline.fit_transform(x);
  StandardScaler scaler;
  const Tensor scaled = scaler.fit_transform(x);
  expect_same(got, PCA({.n_components = 2}).fit_transform(scaled), 1e-12);
  expect_same(pipeline.prepared(x), scaled, 1e-12);
  set_params(pipeline, {{"pca__n_components", int64_t{3}}, {"scale__with_mean", false}});
  EXPECT_EQ(pipeline.fit_transform(x).size(1), 3);
  const Pipeline copy = pipeline;
  set_params(pipeline, {{"pca__n_components", int64_t{1}}});
  EXPECT_EQ(copy.transform(x).size(1), 3);
  write_estimator("p.safetensors", copy);
  const auto loaded = read_estimator("p.safetensors");
  EXPECT_EQ(to_text(*loaded), to_text(copy));
  expect_same(loaded->transform(x), copy.transform(x), 0);
  EXPECT_NE(message_of<ValueError>([&] {
              set_params(pipeline, {{"knn__k", int64_t{1}}});
            }).find("pca__n_components"),
            std::string::npos);
}

TEST_F(ComposeFiles, PipelinesSayWhatIsWrong) {
  const Tensor x = test::blobs(10, 2, 2, 3).x;
  EXPECT_THROW(Pipeline().fit(x), Error);
  EXPECT_THROW(Pipeline(steps()).transform(x), Error);
  const auto refuses = [](const char* name) {
    NamedEstimators parts = steps();
    parts[1].first = name;
    EXPECT_THROW(Pipeline{std::move(parts)}, ValueError) << name;
  };
  for (const char* name : {"", "a__b", "scale", "a.b"}) refuses(name);
  NamedEstimators early;
  early.emplace_back("guess", std::make_unique<DummyClassifier>());
  early.emplace_back("scale", std::make_unique<StandardScaler>());
  EXPECT_THROW(Pipeline{std::move(early)}, ValueError);
  Pipeline pipeline(steps());
  pipeline.fit(x);
  EXPECT_THROW(pipeline.fit(full({3, 2}, kNaN, kF64)), ValueError);
  EXPECT_EQ(pipeline.transform(x).size(1), 2);  // as it was
  EXPECT_THROW(pipeline.predict(x), Error);
  StateDict state = pipeline.state_dict();
  state.emplace_back("other", tensor(1.0));
  EXPECT_THROW(Pipeline(steps()).load_state_dict(state), Error);
}

TEST_F(ComposeFiles, AUnionStandsBesideEachOther) {
  const Tensor x = test::blobs(30, 3, 2, 3).x;
  FeatureUnion both(steps());
  const Tensor got = both.fit_transform(x);
  EXPECT_EQ(got.shape(), (Shape{30, 5}));
  expect_same(slice(got, 1, {.stop = 3}), StandardScaler().fit_transform(x), 1e-12);
  write_estimator("u.safetensors", both);
  expect_same(read_estimator("u.safetensors")->transform(x), got, 1e-15);
  EXPECT_THROW(FeatureUnion().fit(x), Error);
}

TEST_F(ComposeFiles, ColumnsOfATable) {
  ColumnCodes codes;
  codes.fit(people(), {"buys"});
  ASSERT_EQ(codes.columns.size(), 4u);  // without the empty one
  const Tensor x = codes.transform(people());
  const auto v = x.to_vector<double>();
  EXPECT_EQ(v[0], 30);
  EXPECT_EQ(v[1], 1);  // Ulm, behind Bonn
  EXPECT_EQ(v[2], 1);
  EXPECT_TRUE(std::isnan(v[4]) && std::isnan(v[9]));
  EXPECT_EQ(v[7], 1);  // a day

  ColumnTransformer columns = table_columns(codes, {.scale = false});
  const Tensor got = columns.fit_transform(x);
  EXPECT_EQ(feature_names(codes, columns),
            (std::vector<std::string>{"age", "since", "town=Bonn", "town=Ulm", "town=missing",
                                      "member=False", "member=True"}));
  expect_values(got, {4, 7}, {30, 0, 0, 1, 0, 0, 1, 40, 1, 1, 0, 0, 1, 0,
                              50, 0, 0, 0, 1, 0, 1, 40, 0, 0, 1, 0, 0, 1});
  // A town that is new is none, or an error.
  const tables::Table other({Column::from_floats("age", {1}), Column::from_texts("town", {"Rome"}),
                             Column::from_texts("member", {std::nullopt}),
                             Column::from_dates("since", {0})});
  const Tensor unseen = codes.transform(other);
  EXPECT_EQ(unseen.to_vector<double>()[1], -1);
  expect_values(columns.transform(unseen), {1, 7}, {1, 0, 0, 0, 0, 0, 0});
  ColumnTransformer strict = table_columns(codes, {.unknown_is_error = true});
  strict.fit(x);
  EXPECT_THROW(strict.transform(unseen), ValueError);
  EXPECT_THROW(codes.transform(people().without({"age"})), ValueError);
  EXPECT_THROW(codes.transform(tables::Table(
                   {Column::from_texts("age", {"old"}), Column::from_texts("town", {"Ulm"}),
                    Column::from_bools("member", {1}), Column::from_dates("since", {0})})),
               ValueError);
  write_estimator("c.safetensors", columns);
  expect_same(read_estimator("c.safetensors")->transform(x), got, 0);

  std::vector<ColumnPart> parts;
  parts.push_back({"one", std::make_unique<MinMaxScaler>(), {3}});
  ColumnTransformer rest(std::move(parts), Remainder::kPassthrough);
  EXPECT_EQ(rest.fit_transform(x).shape(), (Shape{4, 4}));
  std::vector<ColumnPart> far;
  far.push_back({"one", std::make_unique<MinMaxScaler>(), {4}});
  EXPECT_THROW(ColumnTransformer(std::move(far)).fit(x), ShapeError);
}

TEST(Encoders, LabelsAndUnknownCategories) {
  LabelEncoder labels;
  expect_values(labels.fit_transform(Column::from_texts("y", {"b", "a", "b"})), {3}, {1, 0, 1});
  EXPECT_EQ(labels.inverse_transform(tensor({0, 1})), (std::vector<std::string>{"a", "b"}));
  EXPECT_THROW(labels.transform(Column::from_texts("y", {"c"})), ValueError);
  EXPECT_THROW(labels.fit(Column::from_texts("y", {"c", std::nullopt})), ValueError);
  // Numbers by value: 9 before 10.
  expect_values(labels.fit_transform(Column::from_integers("y", {10, 9})), {2}, {1, 0});
  OneHotEncoder encoder;
  encoder.fit(tensor({{1.}, {2.}}));
  EXPECT_NE(message_of<ValueError>([&] {
              encoder.transform(tensor({{7.}}));
            }).find("feature 0 has the category 7, which fit did not see"),
            std::string::npos);
  TargetEncoder target({.target_type = TargetType::kContinuous, .smooth = 0.0, .cv = 2});
  const Tensor x = tensor({{0.}, {0.}, {1.}, {1.}}), y = tensor({1., 3., 5., 7.});
  expect_values(target.fit(x, y).transform(x), {4, 1}, {2, 2, 6, 6});
  const auto folds = target.fit_transform(x, y).to_vector<double>();  // never by its own target
  EXPECT_NE(folds, (std::vector<double>{2, 2, 6, 6}));
}

TEST(Imputers, KeepEmptyFeaturesOrNot) {
  const Tensor x = tensor({{1., kNaN}, {kNaN, kNaN}, {3., kNaN}});
  expect_values(SimpleImputer().fit_transform(x), {3, 1}, {1, 2, 3});
  expect_values(SimpleImputer({.keep_empty_features = true}).fit_transform(x), {3, 2},
                {1, 0, 2, 0, 3, 0});
  expect_values(KNNImputer().fit_transform(x), {3, 1}, {1, 2, 3});
  EXPECT_THROW(SimpleImputer().fit(full({2, 2}, kNaN, kF64)), ValueError);
  EXPECT_THROW(SimpleImputer().fit(full({1, 1}, INFINITY, kF64)), ValueError);
  EXPECT_EQ(SimpleImputer().fit_transform(cast(x, kF32)).dtype(), kF32);
}

TEST(Selection, KeepsWhatVariesOrTells) {
  const Tensor x = tensor({{1., 5., 0.}, {2., 5., 1.}, {9., 5., 0.}});
  VarianceThreshold varies;
  expect_values(varies.fit_transform(x), {3, 2}, {1, 0, 2, 1, 9, 0});
  expect_values(varies.inverse_transform(tensor({{1., 2.}})), {1, 3}, {1, 0, 2});
  EXPECT_THROW(VarianceThreshold({.threshold = 100}).fit(x), ValueError);
  SelectKBest best({.k = 1});
  expect_values(best.fit(x, tensor({0, 0, 1})).support, {1}, {0});
  EXPECT_EQ(SelectKBest().fit(x, tensor({0, 0, 1})).support.size(0), 3);  // 10 of 3
  EXPECT_THROW(SelectKBest({.k = 0}).fit(x, tensor({0, 0, 1})), ValueError);
}

TEST(Dummies, AreWhatMustBeBeaten) {
  const Tensor x = zeros({4, 1}, kF64), y = tensor({7, 2, 7, 7});
  DummyClassifier prior;
  prior.fit(x, y);
  expect_values(prior.predict(x), {4}, {7, 7, 7, 7});
  expect_values(prior.predict_proba(slice(x, 0, {.stop = 1})), {1, 2}, {0.25, 0.75});
  EXPECT_EQ(prior.score(x, y), 0.75);
  DummyRegressor mean;
  expect_values(mean.fit(x, tensor({1., 2., 3., 6.})).predict(x), {4}, {3, 3, 3, 3});
  EXPECT_EQ(DummyRegressor({.strategy = DummyRegressorStrategy::kMedian})
                .fit(x, tensor({1., 2., 3., 6.}))
                .predict(x)
                .to_vector<double>()[0],
            2.5);
  EXPECT_THROW(DummyClassifier({.strategy = DummyClassifierStrategy::kConstant}).fit(x, y),
               ValueError);
}

TEST(Preprocessing, EdgesOfEachTransformer) {
  const Tensor one = tensor({{2.}}), x = tensor({{1.}, {2.}, {4.}});
  for (const char* name :
       {"MinMaxScaler", "MaxAbsScaler", "RobustScaler", "Normalizer", "Binarizer",
        "QuantileTransformer", "PowerTransformer", "PolynomialFeatures", "KBinsDiscretizer"}) {
    const auto e = make_estimator(name);
    EXPECT_THROW(e->transform(x), Error) << name;
    EXPECT_THROW(e->state_dict(), Error) << name;
    EXPECT_THROW(e->fit(zeros({0, 2}, kF64)), ShapeError) << name;
    EXPECT_THROW(e->fit(tensor({1., 2.})), ShapeError) << name;
    EXPECT_THROW(e->fit(full({2, 1}, INFINITY, kF64)), ValueError) << name;
    e->fit(one);
    EXPECT_EQ(e->transform(one).size(0), 1) << name;
    e->fit(x);
    EXPECT_THROW(e->transform(zeros({1, 2}, kF64)), ShapeError) << name;
    const auto copy = e->clone();
    copy->load_state_dict(e->state_dict());
    expect_same(copy->transform(x), e->transform(x), 0);
    EXPECT_EQ(e->transform(cast(x, kF32)).dtype(), kF32) << name;
  }
  EXPECT_THROW(MinMaxScaler({.feature_min = 1, .feature_max = 0}).fit(x), ValueError);
  EXPECT_THROW(PowerTransformer({.method = PowerMethod::kBoxCox}).fit(tensor({{0.}, {1.}})),
               ValueError);
  EXPECT_THROW(SplineTransformer({.n_knots = 1}).fit(x), ValueError);
  SplineTransformer strict({.extrapolation = SplineExtrapolation::kError});
  EXPECT_THROW(strict.fit(x).transform(tensor({{5.}})), ValueError);
  // B-splines add up to 1.
  expect_values(sum(SplineTransformer().fit_transform(x), {1}), {3}, {1, 1, 1}, 1e-15);
}

TEST(Pipeline, EndsWithWhatPlacesOnlyItsOwn) {
  const test::Blobs b = test::blobs(60, 4, 2, 5);
  NamedEstimators map, clusters;
  for (NamedEstimators* steps : {&map, &clusters})
    steps->emplace_back("scale", make_estimator("StandardScaler"));
  map.emplace_back("map", make_estimator("ClassicalMDS"));
  clusters.emplace_back("clusters", make_estimator("AgglomerativeClustering"));
  Pipeline pipeline(std::move(map)), clustering(std::move(clusters));
  EXPECT_EQ(pipeline.fit_transform(b.x).shape(), (Shape{60, 2}));
  EXPECT_THROW(pipeline.transform(b.x), Error);
  EXPECT_EQ(clustering.fit_predict(b.x).shape(), Shape{60});
  EXPECT_THROW(clustering.predict(b.x), Error);
}

}  // namespace
}  // namespace glia::classic
