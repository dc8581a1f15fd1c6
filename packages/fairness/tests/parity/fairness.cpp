// Glia's side of fairness.py: fairness IN.npz OUT.npz.
#include <iostream>
#include <map>
#include <string>

#include "glia/classic/tree.h"
#include "glia/fairness/metrics.h"
#include "glia/fairness/mitigation.h"
#include "glia/fairness/privacy.h"
#include "glia/io.h"
#include "glia/ops.h"

using namespace glia;
using namespace glia::fairness;

int main(int argc, char** argv) try {
  if (argc != 3) return 2;
  std::map<std::string, Tensor> in;
  for (const auto& [name, value] : io::read_npz(argv[1])) in[name] = value;
  const Tensor &x = in.at("x"), &y = in.at("y"), &p = in.at("p"), &g = in.at("group"),
               &scores = in.at("scores"), &weight = in.at("weight");
  StateDict out;
  const auto number = [&](const std::string& name, double v) { out.emplace_back(name, tensor(v)); };
  for (const bool weighted : {false, true})
    for (const auto method : {Between::kGroups, Between::kOverall}) {
      const FairnessOptions o{method, weighted ? weight : Tensor()};
      const std::string end =
          std::string(weighted ? "_w" : "") + (method == Between::kOverall ? "_o" : "");
      number("dpd" + end, demographic_parity_difference(y, p, g, o));
      number("dpr" + end, demographic_parity_ratio(y, p, g, o));
      number("eod" + end, equalized_odds_difference(y, p, g, o));
      number("eor" + end, equalized_odds_ratio(y, p, g, o));
      number("opd" + end, equal_opportunity_difference(y, p, g, o));
      number("opr" + end, equal_opportunity_ratio(y, p, g, o));
    }
  const Tensor both = stack({g, in.at("other")}, 1);
  const MetricFrame frame({{"selection", selection_rate}, {"fpr", false_positive_rate}}, y, p, both,
                          {.control_features = in.at("control")});
  out.emplace_back("by_group", frame.by_group("selection"));
  out.emplace_back("fpr_by_group", frame.by_group("fpr"));
  out.emplace_back("difference", frame.difference("selection"));
  out.emplace_back("ratio_overall", frame.ratio("selection", Between::kOverall));

  const std::pair<const char*, Constraint> constraints[] = {
      {"demographic_parity", Constraint::kDemographicParity},
      {"equalized_odds", Constraint::kEqualizedOdds},
      {"true_positive_rate_parity", Constraint::kTruePositiveRateParity},
      {"false_positive_rate_parity", Constraint::kFalsePositiveRateParity}};
  for (const auto& [name, constraint] : constraints)
    for (const bool flip : {false, true}) {
      ThresholdOptimizer thresholds({.constraint = constraint, .flip = flip});
      thresholds.fit(scores, y, g);
      out.emplace_back(std::string("threshold_") + name + (flip ? "_flip" : ""),
                       thresholds.predict_proba(scores, g));
    }
  const std::pair<const char*, Constraint> reductions[] = {
      {"DemographicParity", Constraint::kDemographicParity},
      {"EqualizedOdds", Constraint::kEqualizedOdds},
      {"TruePositiveRateParity", Constraint::kTruePositiveRateParity},
      {"FalsePositiveRateParity", Constraint::kFalsePositiveRateParity},
      {"ErrorRateParity", Constraint::kErrorRateParity}};
  for (const auto& [name, constraint] : reductions) {
    ExponentiatedGradient fair(
        classic::DecisionTreeClassifier({.max_depth = 4, .min_samples_leaf = 15}),
        {.constraint = constraint, .max_iter = 20});
    fair.fit(x, y, g);
    out.emplace_back(std::string("reduction_") + name, fair.predict_proba(x));
    number(std::string("gap_") + name, fair.best_gap);
    number(std::string("iter_") + name, static_cast<double>(fair.best_iter));
    out.emplace_back(std::string("weights_") + name,
                     from_vector(fair.weights, {static_cast<int64_t>(fair.weights.size())}));
  }
  const auto q = in.at("q").to_vector<double>(), sigma = in.at("sigma").to_vector<double>(),
             steps = in.at("steps").to_vector<double>();
  std::vector<double> epsilons, rdp;
  for (size_t i = 0; i < q.size(); ++i) {
    RdpAccountant accountant;
    accountant.step(sigma[i], q[i], static_cast<int64_t>(steps[i]));
    epsilons.push_back(accountant.epsilon(1e-5));
    for (double alpha : default_alphas())
      rdp.push_back(sampled_gaussian_rdp(q[i], sigma[i], alpha));
  }
  const auto n = static_cast<int64_t>(q.size());
  out.emplace_back("epsilon", from_vector(epsilons, {n}));
  out.emplace_back("rdp", from_vector(rdp, {n, static_cast<int64_t>(default_alphas().size())}));
  number("noise", noise_multiplier_for(2, 1e-5, 0.01, 1000));
  CorrelationRemover remover(0.7);
  remover.fit(x, both);
  out.emplace_back("decorrelated", remover.transform(x, both));
  io::write_npz(argv[2], out);
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
