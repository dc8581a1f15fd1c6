#include "glia/classic/scorers.h"

#include "glia/classic/metrics.h"
#include "glia/error.h"

namespace glia::classic {
namespace {

using Metric = double (*)(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight);

struct Entry {
  std::string_view name;
  Metric metric;  // of what predict() says
};

// In the order of their names. Those of clusterings do not weigh samples.
constexpr Entry kEntries[] = {
    {"accuracy",
     [](const Tensor& y, const Tensor& p, const Tensor& w) { return accuracy_score(y, p, w); }},
    {"adjusted_mutual_info_score",
     [](const Tensor& y, const Tensor& p, const Tensor&) {
       return clustering_scores(y, p).adjusted_mutual_info;
     }},
    {"adjusted_rand_score", [](const Tensor& y, const Tensor& p,
                               const Tensor&) { return clustering_scores(y, p).adjusted_rand; }},
    {"completeness_score", [](const Tensor& y, const Tensor& p,
                              const Tensor&) { return clustering_scores(y, p).completeness; }},
    {"homogeneity_score", [](const Tensor& y, const Tensor& p,
                             const Tensor&) { return clustering_scores(y, p).homogeneity; }},
    {"r2", [](const Tensor& y, const Tensor& p, const Tensor& w) { return r2_score(y, p, w); }},
    {"v_measure_score", [](const Tensor& y, const Tensor& p,
                           const Tensor&) { return clustering_scores(y, p).v_measure; }},
};

}  // namespace

Scorer get_scorer(std::string_view name, Where where) {
  if (name.empty())
    return [](const Estimator& estimator, const Tensor& x, const Tensor& y, const Tensor& weight) {
      return estimator.score(x, y, weight);
    };
  for (const Entry& entry : kEntries)
    if (entry.name == name)
      return [metric = entry.metric](const Estimator& estimator, const Tensor& x, const Tensor& y,
                                     const Tensor& weight) {
        return metric(y, estimator.predict(x), weight);
      };
  std::string known;
  for (const Entry& entry : kEntries)
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  throw ValueError("there is no scorer \"" + std::string(name) + "\"; there are " + known, where);
}

std::vector<std::string> get_scorer_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kEntries) names.emplace_back(entry.name);
  return names;
}

}  // namespace glia::classic
