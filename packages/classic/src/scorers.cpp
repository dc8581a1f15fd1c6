#include "glia/classic/scorers.h"

#include <algorithm>
#include <map>

#include "fit_and_score.h"
#include "glia/classic/metrics.h"
#include "glia/error.h"
#include "glia/ops.h"

namespace glia::classic {
namespace {

using Metric = std::function<double(const Tensor& y, const Tensor& said, const Tensor& weight)>;

// Of what predict() says.
Scorer predicted(Metric metric) {
  return [metric = std::move(metric)](const Estimator& e, const Tensor& x, const Tensor& y,
                                      const Tensor& weight) {
    return metric(y, e.predict(x), weight);
  };
}

template <class F>
Scorer negated(F metric) {
  return predicted([metric](const Tensor& y, const Tensor& p, const Tensor& w) {
    return -metric(y, p, w, Where::current());
  });
}

// Of two clusterings, whose samples are not weighed.
template <class F>
Scorer clustered(F metric) {
  return predicted(
      [metric](const Tensor& y, const Tensor& p, const Tensor&) { return metric(y, p); });
}

// Of probabilities, with the classes that their columns are of.
Scorer of_probabilities(double (*metric)(const Tensor&, const Tensor&, const LossOptions&, Where),
                        double sign) {
  return [=](const Estimator& e, const Tensor& x, const Tensor& y, const Tensor& weight) {
    LossOptions options{.sample_weight = weight};
    if (const Tensor* classes = classes_of(e)) options.labels = classes->to_vector<int64_t>();
    return sign * metric(y, e.predict_proba(x), options, Where::current());
  };
}

// A number for each sample that is large where the second class is likely, or one for each class.
Tensor decisions(const Estimator& e, const Tensor& x) {
  try {
    return e.decision_function(x);
  } catch (const Error&) {  // it has none
    const Tensor p = e.predict_proba(x);
    if (p.size(1) != 2) return p;
    return reshape(slice(p, 1, {1, 2}), {p.size(0)});
  }
}

Scorer area(AreaMultiClass multi_class, AreaAverage average, bool probabilities) {
  return [=](const Estimator& e, const Tensor& x, const Tensor& y, const Tensor& weight) {
    Tensor scores = probabilities ? e.predict_proba(x) : decisions(e, x);
    if (scores.rank() == 2 && scores.size(1) == 2)
      scores = reshape(slice(scores, 1, {1, 2}), {scores.size(0)});
    return roc_auc_score(y, scores,
                         {.average = average, .sample_weight = weight, .multi_class = multi_class});
  };
}

using PerClass = double (*)(const Tensor&, const Tensor&, const ScoreOptions&, Where);

// "f1", and "f1_macro", "f1_micro", ...
void add_averages(std::map<std::string, Scorer, std::less<>>& all, const std::string& name,
                  PerClass metric) {
  for (const auto& [suffix, average] : {std::pair("", Average::kBinary),
                                        {"_macro", Average::kMacro},
                                        {"_micro", Average::kMicro},
                                        {"_samples", Average::kSamples},
                                        {"_weighted", Average::kWeighted}})
    all[name + suffix] =
        predicted([=, average = average](const Tensor& y, const Tensor& p, const Tensor& w) {
          return metric(y, p, {.average = average, .sample_weight = w}, Where::current());
        });
}

std::map<std::string, Scorer, std::less<>> make_scorers() {
  std::map<std::string, Scorer, std::less<>> all;
  // Classes.
  all["accuracy"] = predicted(
      [](const Tensor& y, const Tensor& p, const Tensor& w) { return accuracy_score(y, p, w); });
  all["balanced_accuracy"] = predicted([](const Tensor& y, const Tensor& p, const Tensor& w) {
    return balanced_accuracy_score(y, p, w);
  });
  all["matthews_corrcoef"] = predicted(
      [](const Tensor& y, const Tensor& p, const Tensor& w) { return matthews_corrcoef(y, p, w); });
  add_averages(all, "f1", f1_score);
  add_averages(all, "precision", precision_score);
  add_averages(all, "recall", recall_score);
  add_averages(all, "jaccard", jaccard_score);
  // Probabilities and decisions.
  all["neg_log_loss"] = of_probabilities(log_loss, -1);
  all["neg_brier_score"] = of_probabilities(brier_score_loss, -1);
  all["d2_log_loss_score"] = of_probabilities(d2_log_loss_score, 1);
  all["d2_brier_score"] = of_probabilities(d2_brier_score, 1);
  all["roc_auc"] = area(AreaMultiClass::kOneVsRest, AreaAverage::kMacro, false);
  all["roc_auc_ovr"] = area(AreaMultiClass::kOneVsRest, AreaAverage::kMacro, true);
  all["roc_auc_ovr_weighted"] = area(AreaMultiClass::kOneVsRest, AreaAverage::kWeighted, true);
  all["roc_auc_ovo"] = area(AreaMultiClass::kOneVsOne, AreaAverage::kMacro, true);
  all["roc_auc_ovo_weighted"] = area(AreaMultiClass::kOneVsOne, AreaAverage::kWeighted, true);
  all["average_precision"] = [](const Estimator& e, const Tensor& x, const Tensor& y,
                                const Tensor& weight) {
    return average_precision_score(y, decisions(e, x), {.sample_weight = weight});
  };
  all["top_k_accuracy"] = [](const Estimator& e, const Tensor& x, const Tensor& y,
                             const Tensor& weight) {
    LossOptions options{.sample_weight = weight};
    if (const Tensor* classes = classes_of(e)) options.labels = classes->to_vector<int64_t>();
    return top_k_accuracy_score(y, decisions(e, x), 2, options);
  };
  // Numbers.
  all["r2"] = predicted(
      [](const Tensor& y, const Tensor& p, const Tensor& w) { return r2_score(y, p, w); });
  all["explained_variance"] = predicted([](const Tensor& y, const Tensor& p, const Tensor& w) {
    return explained_variance_score(y, p, w);
  });
  all["d2_absolute_error_score"] = predicted([](const Tensor& y, const Tensor& p, const Tensor& w) {
    return d2_absolute_error_score(y, p, w);
  });
  all["neg_max_error"] =
      predicted([](const Tensor& y, const Tensor& p, const Tensor&) { return -max_error(y, p); });
  all["neg_mean_absolute_error"] = negated(mean_absolute_error);
  all["neg_mean_absolute_percentage_error"] = negated(mean_absolute_percentage_error);
  all["neg_mean_gamma_deviance"] = negated(mean_gamma_deviance);
  all["neg_mean_poisson_deviance"] = negated(mean_poisson_deviance);
  all["neg_mean_squared_error"] = negated(mean_squared_error);
  all["neg_mean_squared_log_error"] = negated(mean_squared_log_error);
  all["neg_median_absolute_error"] = negated(median_absolute_error);
  all["neg_root_mean_squared_error"] = negated(root_mean_squared_error);
  all["neg_root_mean_squared_log_error"] = negated(root_mean_squared_log_error);
  // Clusterings.
  const auto as = [](auto metric) {
    return [metric](const Tensor& y, const Tensor& p) { return metric(y, p, Where::current()); };
  };
  all["adjusted_rand_score"] = clustered(as(adjusted_rand_score));
  all["completeness_score"] = clustered(as(completeness_score));
  all["fowlkes_mallows_score"] = clustered(as(fowlkes_mallows_score));
  all["homogeneity_score"] = clustered(as(homogeneity_score));
  all["mutual_info_score"] = clustered(as(mutual_info_score));
  all["rand_score"] = clustered(as(rand_score));
  all["adjusted_mutual_info_score"] =
      clustered([](const Tensor& y, const Tensor& p) { return adjusted_mutual_info_score(y, p); });
  all["normalized_mutual_info_score"] = clustered(
      [](const Tensor& y, const Tensor& p) { return normalized_mutual_info_score(y, p); });
  all["v_measure_score"] =
      clustered([](const Tensor& y, const Tensor& p) { return v_measure_score(y, p); });
  return all;
}

const std::map<std::string, Scorer, std::less<>>& scorers() {
  static const auto all = make_scorers();
  return all;
}

}  // namespace

Scorer get_scorer(std::string_view name, Where where) {
  if (name.empty())
    return [](const Estimator& estimator, const Tensor& x, const Tensor& y, const Tensor& weight) {
      return estimator.score(x, y, weight);
    };
  if (const auto at = scorers().find(name); at != scorers().end()) return at->second;
  std::string known;
  for (const std::string& other : get_scorer_names()) known += (known.empty() ? "" : ", ") + other;
  throw ValueError("there is no scorer \"" + std::string(name) + "\"; there are " + known, where);
}

std::vector<std::string> get_scorer_names() {
  std::vector<std::string> names;
  for (const auto& [name, scorer] : scorers()) names.push_back(name);
  return names;
}

}  // namespace glia::classic
