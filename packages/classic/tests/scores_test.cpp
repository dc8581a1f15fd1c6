// Metrics beside values worked out by hand, and what they refuse; parity with scikit-learn is in
// parity/metrics.py.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "glia/classic/metrics.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::expect_values;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(ClassScores, OfAConfusion) {
  const Tensor y = tensor({0, 0, 0, 1, 1}), p = tensor({0, 0, 1, 1, 0});
  expect_values(confusion_matrix(y, p), {2, 2}, {2, 1, 1, 1});
  EXPECT_EQ(confusion_matrix(y, p).dtype(), kI64);
  expect_values(confusion_matrix(y, p, {.labels = {1, 0}}), {2, 2}, {1, 1, 1, 2});
  EXPECT_DOUBLE_EQ(precision_score(y, p), 0.5);
  EXPECT_DOUBLE_EQ(recall_score(y, p, {.pos_label = 0}), 2.0 / 3);
  EXPECT_DOUBLE_EQ(f1_score(y, p, {.average = Average::kMacro}), (2.0 / 3 + 0.5) / 2);
  EXPECT_DOUBLE_EQ(accuracy_score(y, p), 0.6);
  EXPECT_EQ(precision_score(tensor({1, 1}), tensor({0, 0}), {.zero_division = 1}), 1);
  EXPECT_TRUE(std::isnan(cohen_kappa_score(tensor({1, 1}), tensor({1, 1}))));
  EXPECT_EQ(matthews_corrcoef(tensor({1, 1}), tensor({1, 0})), 0);
  EXPECT_THROW(f1_score(tensor({0, 1, 2}), tensor({0, 1, 2})), ValueError);
  EXPECT_THROW(f1_score(y, p, {.pos_label = 5}), ValueError);
  EXPECT_THROW(accuracy_score(y, tensor({0, 1})), ShapeError);
  EXPECT_THROW(accuracy_score(tensor({kNaN}), tensor({1.})), ValueError);
  EXPECT_THROW(confusion_matrix(tensor({0.5}), tensor({1.})), ValueError);
  EXPECT_THROW(classification_report(y, p, {.target_names = {"one"}}), ValueError);
}

TEST(Curves, OfFourSamples) {
  const Tensor y = tensor({0, 0, 1, 1}), s = tensor({0.1, 0.4, 0.35, 0.8});
  EXPECT_DOUBLE_EQ(roc_auc_score(y, s), 0.75);
  EXPECT_NEAR(average_precision_score(y, s), 5.0 / 6, 1e-15);
  const RocCurve roc = roc_curve(y, s);
  expect_values(roc.fpr, {5}, {0, 0, 0.5, 0.5, 1});
  expect_values(roc.tpr, {5}, {0, 0.5, 0.5, 1, 1});
  EXPECT_TRUE(std::isinf(roc.thresholds.to_vector<double>()[0]));
  EXPECT_TRUE(std::isnan(roc_auc_score(tensor({1, 1}), tensor({0.1, 0.2}))));
  EXPECT_THROW(roc_auc_score(tensor({0, 1, 2}), tensor({0.1, 0.2, 0.3})), ShapeError);
  EXPECT_THROW(roc_auc_score(y, s, {.max_fpr = 0}), ValueError);
  EXPECT_THROW(det_curve(tensor({1, 1}), tensor({0.1, 0.2})), ValueError);
  EXPECT_THROW(auc(tensor({0., 2., 1.}), tensor({0., 0., 0.})), ValueError);
  EXPECT_DOUBLE_EQ(auc(tensor({1., 0.}), tensor({1., 0.})), 0.5);
  EXPECT_THROW(calibration_curve(y, s * 2, 5), ValueError);
}

TEST(Probabilities, Losses) {
  const Tensor y = tensor({0, 1}), p = tensor({0.25, 0.75});
  EXPECT_DOUBLE_EQ(log_loss(y, p), -std::log(0.75));
  EXPECT_DOUBLE_EQ(brier_score_loss(y, p), 0.0625);
  EXPECT_TRUE(std::isfinite(log_loss(y, tensor({1., 0.}))));  // cut to [eps, 1 - eps]
  EXPECT_THROW(log_loss(tensor({1, 1}), p), ValueError);
  EXPECT_DOUBLE_EQ(log_loss(tensor({1, 1}), p, {.labels = {0, 1}}),
                   -(std::log(0.25) + std::log(0.75)) / 2);
  EXPECT_THROW(log_loss(y, tensor({2., 0.})), ValueError);
  EXPECT_DOUBLE_EQ(hinge_loss(y, tensor({-2., 0.5})), 0.25);
  EXPECT_DOUBLE_EQ(top_k_accuracy_score(tensor({0, 1, 2}), eye(3, kF64), 1), 1);
}

TEST(NumberScores, OfFourNumbers) {
  const Tensor y = tensor({3., -0.5, 2., 7.}), p = tensor({2.5, 0., 2., 8.});
  EXPECT_NEAR(r2_score(y, p), 0.9486081370449679, 1e-15);
  EXPECT_DOUBLE_EQ(mean_squared_error(y, p), 0.375);
  EXPECT_DOUBLE_EQ(mean_absolute_error(y, p), 0.5);
  EXPECT_DOUBLE_EQ(median_absolute_error(y, p), 0.5);
  EXPECT_DOUBLE_EQ(max_error(y, p), 1);
  EXPECT_DOUBLE_EQ(mean_pinball_loss(y, p, 1), 0.125);
  EXPECT_TRUE(std::isnan(r2_score(tensor({1.}), tensor({1.}))));
  EXPECT_EQ(r2_score(tensor({1., 1.}), tensor({1., 1.})), 1);
  EXPECT_EQ(r2_score(tensor({1., 1.}), tensor({1., 2.})), 0);
  EXPECT_THROW(mean_squared_log_error(tensor({-1.}), tensor({1.})), ValueError);
  EXPECT_THROW(mean_tweedie_deviance(y, p, 0.5), ValueError);
  EXPECT_THROW(mean_gamma_deviance(y, p), ValueError);
  EXPECT_THROW(mean_pinball_loss(y, p, 2), ValueError);
  EXPECT_THROW(mean_squared_error(y, tensor({kNaN, 0., 0., 0.})), ValueError);
  EXPECT_THROW(mean_squared_error(y, p, tensor({-1., 1., 1., 1.})), ValueError);
}

TEST(Rankings, OfOneSample) {
  const Tensor y = tensor({{1., 0., 0.}}), s = tensor({{0.75, 0.5, 1.}});
  EXPECT_DOUBLE_EQ(label_ranking_average_precision_score(y, s), 0.5);
  EXPECT_DOUBLE_EQ(coverage_error(y, s), 2);
  EXPECT_DOUBLE_EQ(label_ranking_loss(y, s), 0.5);
  EXPECT_DOUBLE_EQ(ndcg_score(y, s), 1 / std::log2(3));
  EXPECT_DOUBLE_EQ(dcg_score(y, s, {.k = 1}), 0);
  EXPECT_THROW(ndcg_score(tensor({{-1., 0.}}), tensor({{1., 2.}})), ValueError);
  EXPECT_THROW(coverage_error(tensor({{2., 0.}}), tensor({{1., 2.}})), ValueError);
  EXPECT_THROW(dcg_score(tensor({1.}), tensor({1.})), ShapeError);
}

TEST(PartitionScores, BesideSamples) {
  const Tensor x = tensor({{0.}, {1.}, {10.}, {11.}}), labels = cast(tensor({5, 5, 9, 9}), kI64);
  const double s = 1 - 1 / 10.5, t = 1 - 1 / 9.5;
  expect_values(silhouette_samples(x, labels), {4}, {s, t, t, s}, 1e-15);
  EXPECT_DOUBLE_EQ(davies_bouldin_score(x, labels), 0.1);
  EXPECT_DOUBLE_EQ(calinski_harabasz_score(x, labels), 200);
  EXPECT_THROW(silhouette_score(x, tensor({1, 1, 1, 1})), ValueError);
  EXPECT_THROW(silhouette_score(x, tensor({1, 2, 3, 4})), ValueError);
  EXPECT_THROW(silhouette_score(x, tensor({1, 2})), ShapeError);
  EXPECT_EQ(rand_score(labels, labels), 1);
  EXPECT_EQ(normalized_mutual_info_score(cast(tensor({1, 1}), kI64), cast(tensor({1, 1}), kI64)),
            1);
}

TEST(Pairwise, DistancesAndKernels) {
  const Tensor x = tensor({{0., 0.}, {3., 4.}}), y = tensor({{0., 1.}});
  expect_values(euclidean_distances(x), {2, 2}, {0, 5, 5, 0});
  expect_values(manhattan_distances(x, y), {2, 1}, {1, 6});
  expect_values(chebyshev_distances(x, y), {2, 1}, {1, 3});
  expect_values(rbf_kernel(x, x, 0.04), {2, 2}, {1, std::exp(-1.0), std::exp(-1.0), 1});
  expect_values(polynomial_kernel(x, y, 2, 1, 0), {2, 1}, {0, 16});
  expect_values(nan_euclidean_distances(tensor({{kNaN, 1.}}), tensor({{0., 0.}})), {1, 1},
                {std::sqrt(2.0)}, 1e-15);
  EXPECT_THROW(pairwise_distances(x, y, "hamming"), ValueError);
  EXPECT_THROW(euclidean_distances(x, tensor({{1.}})), ShapeError);
  EXPECT_THROW(chi2_kernel(x - 1), ValueError);
  const Tensor many = randn({200, 7});
  const Tensor two = rbf_kernel(many);
  const ThreadLimit one(1);
  expect_same(rbf_kernel(many), two, 0);
}

}  // namespace
}  // namespace glia::classic
