// Glia's side of bayes.py for what has functions of its own: bayes WHAT [TEXT] IN.npz OUT.npz.
// Options are arrays of rank 0.
#include <iostream>
#include <map>

#include "glia/classic/calibration.h"
#include "glia/classic/gaussian_process.h"
#include "glia/classic/naive_bayes.h"
#include "glia/io.h"
#include "glia/ops.h"

using namespace glia;

int main(int argc, char** argv) try {
  if (argc < 4) return 2;
  const std::string what = argv[1], text = argc > 4 ? argv[2] : "";
  std::map<std::string, Tensor> in;
  for (const auto& [name, value] : io::read_npz(argv[argc - 2])) in[name] = value;
  const auto number = [&](const char* name, double fallback) {
    return in.count(name) != 0 ? in[name].item() : fallback;
  };
  StateDict out;
  if (what == "gpr") {
    classic::GaussianProcessRegressorOptions options{
        .kernel = classic::parse_kernel(text),
        .alpha = number("alpha", 1e-10),
        .n_restarts_optimizer = static_cast<int64_t>(number("restarts", 0)),
        .normalize_y = number("normalize_y", 0) != 0};
    if (number("fit", 1) == 0) options.optimizer = classic::KernelOptimizer::kNone;
    classic::GaussianProcessRegressor gp(options);
    gp.fit(in.at("x"), in.at("y"));
    const auto std = gp.predict_std(in.at("new"));
    const auto cov = gp.predict_cov(in.at("new"));
    const auto at = gp.log_marginal_likelihood(in["at"].to_vector<double>());
    out = {{"mean", std.mean},
           {"std", std.std},
           {"cov", cov.cov},
           {"predict", gp.predict(in.at("new"))},
           {"value", tensor(gp.log_marginal_likelihood_value)},
           {"at", tensor(at.value)},
           {"gradient", from_vector(at.gradient, {static_cast<int64_t>(at.gradient.size())})},
           {"theta", gp.theta},
           {"kernel", gp.kernel()(in.at("new"), in.at("x"))}};
  } else if (what == "gpc") {
    classic::GaussianProcessClassifierOptions options{.kernel = classic::parse_kernel(text)};
    if (number("fit", 1) == 0) options.optimizer = classic::KernelOptimizer::kNone;
    if (number("pairs", 0) != 0) options.multi_class = classic::GaussianMultiClass::kOneVsOne;
    classic::GaussianProcessClassifier gp(options);
    gp.fit(in.at("x"), in.at("y"));
    const auto at = gp.log_marginal_likelihood(in["at"].to_vector<double>());
    out = {{"predict", gp.predict(in.at("new"))},
           {"value", tensor(gp.log_marginal_likelihood_value)},
           {"at", tensor(at.value)},
           {"gradient", from_vector(at.gradient, {static_cast<int64_t>(at.gradient.size())})}};
    if (number("pairs", 0) == 0) out.emplace_back("proba", gp.predict_proba(in.at("new")));
  } else if (what == "partial") {
    const auto model = classic::make_estimator(text);
    if (text == "GaussianNB") classic::set_params(*model, {{"var_smoothing", 0.0}});
    auto& bayes = dynamic_cast<classic::NaiveBayes&>(*model);
    const int64_t half = in.at("x").size(0) / 2;
    const auto part = [&](const char* name, Slice s) { return slice(in.at(name), 0, s); };
    bayes.partial_fit(part("x", {.stop = half}), part("y", {.stop = half}),
                      in.at("classes").to_vector<int64_t>(), part("w", {.stop = half}));
    bayes.partial_fit(part("x", {.start = half}), part("y", {.start = half}), {},
                      part("w", {.start = half}));
    out = {{"joint", bayes.predict_joint_log_proba(in.at("new"))},
           {"log_proba", bayes.predict_log_proba(in.at("new"))},
           {"class_count", bayes.class_count}};
  } else if (what == "error") {
    const classic::CalibrationErrorOptions options{.n_bins =
                                                       static_cast<int64_t>(number("n_bins", 15))};
    out = {{"ece", tensor(classic::expected_calibration_error(in.at("y"), in.at("p"), options))},
           {"mce", tensor(classic::maximum_calibration_error(in.at("y"), in.at("p"), options))}};
  } else {
    return 2;
  }
  io::write_npz(argv[argc - 1], out);
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
