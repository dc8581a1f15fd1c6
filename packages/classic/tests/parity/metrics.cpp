// Glia's side of metrics.py: metrics IN.npz OUT.npz. Every metric with every option, of one
// problem.
#include <fstream>
#include <iostream>
#include <map>

#include "glia/classic/metrics.h"
#include "glia/io.h"
#include "glia/ops.h"

using namespace glia;
using namespace glia::classic;

int main(int argc, char** argv) try {
  if (argc != 3) return 2;
  std::map<std::string, Tensor> in;
  for (const auto& [name, value] : io::read_npz(argv[1])) in[name] = value;
  StateDict out;
  const auto add = [&](const std::string& name, double value) {
    out.emplace_back(name, tensor(value));
  };
  const Tensor y = in.at("y"), p = in.at("p"), yb = in.at("yb"), pb = in.at("pb");
  const Tensor yl = in.at("yl"), pl = in.at("pl"), sl = in.at("sl"), score = in.at("score");
  const Tensor proba = in.at("proba"), decision = in.at("decision");
  for (const auto& [tag, w] : {std::pair<std::string, Tensor>{"", {}}, {" weighted", in.at("w")}}) {
    add("accuracy" + tag, accuracy_score(y, p, w));
    add("accuracy labels" + tag, accuracy_score(yl, pl, w));
    add("zero_one" + tag, zero_one_loss(y, p, w));
    add("hamming" + tag, hamming_loss(y, p, w));
    add("hamming labels" + tag, hamming_loss(yl, pl, w));
    add("balanced" + tag, balanced_accuracy_score(y, p, w));
    add("balanced adjusted" + tag, balanced_accuracy_score(y, p, w, true));
    add("kappa" + tag, cohen_kappa_score(y, p, KappaWeights::kNone, w));
    add("kappa linear" + tag, cohen_kappa_score(y, p, KappaWeights::kLinear, w));
    add("kappa quadratic" + tag, cohen_kappa_score(y, p, KappaWeights::kQuadratic, w));
    add("matthews" + tag, matthews_corrcoef(y, p, w));
    out.emplace_back("confusion" + tag, cast(confusion_matrix(y, p, {.sample_weight = w}), kF64));
    const std::pair<std::string, Normalize> kNormalize[] = {
        {"true", Normalize::kTrue}, {"pred", Normalize::kPred}, {"all", Normalize::kAll}};
    for (const auto& [name, how] : kNormalize)
      out.emplace_back("confusion " + name + tag,
                       confusion_matrix(y, p, {.sample_weight = w, .normalize = how}));
    out.emplace_back("multilabel" + tag, multilabel_confusion_matrix(y, p, {.sample_weight = w}));
    out.emplace_back("multilabel labels" + tag,
                     multilabel_confusion_matrix(yl, pl, {.sample_weight = w}));
    const std::pair<std::string, Average> kAverages[] = {{"micro", Average::kMicro},
                                                         {"macro", Average::kMacro},
                                                         {"weighted", Average::kWeighted},
                                                         {"samples", Average::kSamples},
                                                         {"binary", Average::kBinary}};
    for (const auto& [name, average] : kAverages) {
      const bool binary = average == Average::kBinary;
      for (const bool labels : {false, true}) {
        if (labels ? binary : average == Average::kSamples) continue;
        const Tensor a = labels ? yl : binary ? yb : y, b = labels ? pl : binary ? pb : p;
        const ScoreOptions how{.average = average, .sample_weight = w};
        const std::string tail = " " + name + (labels ? " labels" : "") + tag;
        add("precision" + tail, precision_score(a, b, how));
        add("recall" + tail, recall_score(a, b, how));
        add("f1" + tail, f1_score(a, b, how));
        add("f2" + tail, fbeta_score(a, b, 2, how));
        add("jaccard" + tail, jaccard_score(a, b, how));
      }
    }
    const ClassScores each = precision_recall_fscore_support(y, p, 1, {.sample_weight = w});
    out.emplace_back("precision each" + tag, each.precision);
    out.emplace_back("recall each" + tag, each.recall);
    out.emplace_back("f1 each" + tag, each.fscore);
    out.emplace_back("support each" + tag, each.support);
    const LikelihoodRatios ratios = class_likelihood_ratios(yb, pb, w);
    add("lr+" + tag, ratios.positive);
    add("lr-" + tag, ratios.negative);

    const RocCurve roc = roc_curve(yb, score, {.sample_weight = w});
    const RocCurve all = roc_curve(yb, score, {.sample_weight = w, .drop_intermediate = false});
    const PrecisionRecallCurve pr = precision_recall_curve(yb, score, {.sample_weight = w});
    const PrecisionRecallCurve few =
        precision_recall_curve(yb, score, {.sample_weight = w, .drop_intermediate = true});
    const DetCurve det = det_curve(yb, score, {.sample_weight = w});
    const std::pair<std::string, Tensor> kCurves[] = {
        {"roc fpr", roc.fpr},     {"roc tpr", roc.tpr},           {"roc all fpr", all.fpr},
        {"roc all tpr", all.tpr}, {"pr precision", pr.precision}, {"pr recall", pr.recall},
        {"pr at", pr.thresholds}, {"pr few recall", few.recall},  {"det fpr", det.fpr},
        {"det fnr", det.fnr}};
    for (const auto& [name, curve] : kCurves) out.emplace_back(name + tag, curve);
    out.emplace_back("roc at" + tag, slice(roc.thresholds, 0, {.start = 1}));
    add("roc_auc" + tag, roc_auc_score(yb, score, {.sample_weight = w}));
    add("roc_auc part" + tag, roc_auc_score(yb, score, {.sample_weight = w, .max_fpr = 0.3}));
    add("ap" + tag, average_precision_score(yb, score, {.sample_weight = w}));
    const std::pair<std::string, AreaAverage> kAreas[] = {{"macro", AreaAverage::kMacro},
                                                          {"micro", AreaAverage::kMicro},
                                                          {"weighted", AreaAverage::kWeighted}};
    for (const auto& [name, average] : kAreas) {
      const AreaOptions how{.average = average, .sample_weight = w};
      add("roc_auc ovr " + name + tag, roc_auc_score(y, proba, how));
      add("roc_auc labels " + name + tag, roc_auc_score(yl, sl, how));
      add("ap classes " + name + tag, average_precision_score(y, proba, how));
      add("ap labels " + name + tag, average_precision_score(yl, sl, how));
      if (average != AreaAverage::kMicro && tag.empty())
        add("roc_auc ovo " + name,
            roc_auc_score(y, proba,
                          {.average = average, .multi_class = AreaMultiClass::kOneVsOne}));
    }
    add("log_loss" + tag, log_loss(y, proba, {.sample_weight = w}));
    add("log_loss binary" + tag, log_loss(yb, in.at("pb_proba"), {.sample_weight = w}));
    add("brier" + tag, brier_score_loss(y, proba, {.sample_weight = w}));
    add("brier binary" + tag, brier_score_loss(yb, in.at("pb_proba"), {.sample_weight = w}));
    add("d2_log" + tag, d2_log_loss_score(y, proba, {.sample_weight = w}));
    add("d2_brier" + tag, d2_brier_score(y, proba, {.sample_weight = w}));
    add("hinge" + tag, hinge_loss(y, decision, {.sample_weight = w}));
    add("hinge binary" + tag, hinge_loss(yb, score, {.sample_weight = w}));
    add("top2" + tag, top_k_accuracy_score(y, proba, 2, {.sample_weight = w}));
    add("top1 binary" + tag, top_k_accuracy_score(yb, score, 1, {.sample_weight = w}));

    const Tensor rt = in.at("rt"), rp = in.at("rp"), r1 = in.at("r1"), q1 = in.at("q1");
    add("r2" + tag, r2_score(rt, rp, w));
    add("explained" + tag, explained_variance_score(rt, rp, w));
    add("mse" + tag, mean_squared_error(rt, rp, w));
    add("rmse" + tag, root_mean_squared_error(rt, rp, w));
    add("msle" + tag, mean_squared_log_error(rt, rp, w));
    add("rmsle" + tag, root_mean_squared_log_error(rt, rp, w));
    add("mae" + tag, mean_absolute_error(rt, rp, w));
    add("medae" + tag, median_absolute_error(rt, rp, w));
    add("mape" + tag, mean_absolute_percentage_error(rt, rp, w));
    add("pinball" + tag, mean_pinball_loss(rt, rp, 0.3, w));
    for (const double power : {-1.0, 0.0, 1.0, 1.5, 2.0, 3.0}) {
      const std::string tail = " " + std::to_string(static_cast<int>(power * 10)) + tag;
      add("tweedie" + tail, mean_tweedie_deviance(r1, q1, power, w));
      add("d2_tweedie" + tail, d2_tweedie_score(r1, q1, power, w));
    }
    add("poisson" + tag, mean_poisson_deviance(r1, q1, w));
    add("gamma" + tag, mean_gamma_deviance(r1, q1, w));
    add("d2_pinball" + tag, d2_pinball_score(rt, rp, 0.3, w));
    add("d2_mae" + tag, d2_absolute_error_score(rt, rp, w));

    const Tensor gains = in.at("gains");
    add("dcg" + tag, dcg_score(gains, sl, {.sample_weight = w}));
    add("dcg k" + tag, dcg_score(gains, sl, {.k = 3, .log_base = 3, .sample_weight = w}));
    add("dcg first" + tag, dcg_score(gains, sl, {.sample_weight = w, .ignore_ties = true}));
    add("ndcg" + tag, ndcg_score(gains, sl, {.sample_weight = w}));
    add("ndcg k" + tag, ndcg_score(gains, sl, {.k = 2, .sample_weight = w}));
    add("coverage" + tag, coverage_error(yl, sl, w));
    add("lrap" + tag, label_ranking_average_precision_score(yl, sl, w));
    add("ranking_loss" + tag, label_ranking_loss(yl, sl, w));
  }
  add("max_error", max_error(in.at("r1"), in.at("q1")));
  add("auc", auc(in.at("up"), in.at("r1")));
  for (const auto& [name, strategy] : {std::pair{"uniform", CalibrationStrategy::kUniform},
                                       std::pair{"quantile", CalibrationStrategy::kQuantile}}) {
    const CalibrationCurve c = calibration_curve(yb, in.at("pb_proba"), 7, strategy);
    out.emplace_back(std::string("calibration true ") + name, c.prob_true);
    out.emplace_back(std::string("calibration pred ") + name, c.prob_pred);
  }

  const Tensor a = cast(y, kI64), b = cast(p, kI64), x = in.at("x"), x2 = in.at("x2");
  add("homogeneity", homogeneity_score(a, b));
  add("completeness", completeness_score(a, b));
  add("v_measure", v_measure_score(a, b, 0.5));
  add("ari", adjusted_rand_score(a, b));
  add("rand", rand_score(a, b));
  add("fmi", fowlkes_mallows_score(a, b));
  add("mi", mutual_info_score(a, b));
  const std::pair<std::string, EntropyAverage> kMeans[] = {
      {"min", EntropyAverage::kMin},
      {"geometric", EntropyAverage::kGeometric},
      {"arithmetic", EntropyAverage::kArithmetic},
      {"max", EntropyAverage::kMax}};
  for (const auto& [name, how] : kMeans) {
    add("nmi " + name, normalized_mutual_info_score(a, b, how));
    add("ami " + name, adjusted_mutual_info_score(a, b, how));
  }
  out.emplace_back("contingency", cast(contingency_matrix(a, b), kF64));
  out.emplace_back("pairs", cast(pair_confusion_matrix(a, b), kF64));
  out.emplace_back("silhouettes", silhouette_samples(x, a));
  add("silhouette", silhouette_score(x, a));
  add("silhouette given",
      silhouette_score(euclidean_distances(x), a, SilhouetteMetric::kPrecomputed));
  add("calinski", calinski_harabasz_score(x, a));
  add("davies", davies_bouldin_score(x, a));
  for (const char* metric : {"euclidean", "sqeuclidean", "manhattan", "chebyshev", "cosine"})
    out.emplace_back(std::string("distance ") + metric, pairwise_distances(x, x2, metric));
  out.emplace_back("distance self", manhattan_distances(x));
  out.emplace_back("distance cosine self", cosine_distances(x));
  out.emplace_back("distance chebyshev self", chebyshev_distances(x));
  out.emplace_back("haversine", haversine_distances(in.at("sphere")));
  out.emplace_back("nan_euclidean", nan_euclidean_distances(in.at("gaps"), x2));
  out.emplace_back("linear", linear_kernel(x, x2));
  out.emplace_back("cosine", cosine_similarity(x, x2));
  out.emplace_back("poly", polynomial_kernel(x, x2));
  out.emplace_back("sigmoid", sigmoid_kernel(x, x2, 0.1));
  out.emplace_back("rbf", rbf_kernel(x, x2));
  out.emplace_back("laplacian", laplacian_kernel(x, x2, 0.2));
  const Tensor plus = abs(x), plus2 = abs(x2);
  out.emplace_back("additive_chi2", additive_chi2_kernel(plus, plus2));
  out.emplace_back("chi2", chi2_kernel(plus, plus2, 0.5));
  std::ofstream(std::string(argv[2]) + ".txt")
      << classification_report(y, p)
      << classification_report(yl, pl, {.target_names = {"a", "the second", "c", "d"}, .digits = 3})
      << classification_report(y, p, {.labels = {0, 2}, .sample_weight = {}});
  io::write_npz(argv[2], out);
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
