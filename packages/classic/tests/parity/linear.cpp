// Glia's side of linear.py: linear WHAT IN.npz OUT.npz [OPTION=VALUE...]. WHAT is an estimator by
// its name, or a function.
#include <iostream>
#include <map>

#include "glia/classic/linear_model.h"
#include "glia/io.h"
#include "glia/ops.h"

using namespace glia;
using namespace glia::classic;

namespace {

std::map<std::string, Tensor> in;
std::map<std::string, std::string> options;

double number(const char* name, double fallback) {
  return options.count(name) ? std::stod(options[name]) : fallback;
}

StateDict of_bayes() {
  BayesianRidge model;
  model.fit(in.at("x"), in.at("y"), in["sample_weight"]);
  return {{"std", model.predict_std(in.at("new"))}};
}

StateDict of_ols() {
  OLSOptions o{.add_constant = number("add_constant", 1) != 0,
               .cov_type = static_cast<ErrorCovariance>(number("cov_type", 0)),
               .use_correction = number("use_correction", 0) != 0};
  if (options.count("maxlags")) o.maxlags = static_cast<int64_t>(number("maxlags", 0));
  const OLSResults r = ols(in.at("y"), in.at("x"), o, in["sample_weight"]);
  const PredictionIntervals p = get_prediction(r, in.at("new"));
  std::cout << summary(r);
  return {
      {"params", r.params},
      {"bse", r.bse},
      {"tvalues", r.tvalues},
      {"pvalues", r.pvalues},
      {"cov_params", r.cov_params},
      {"fittedvalues", r.fittedvalues},
      {"resid", r.resid},
      {"conf_int", conf_int(r)},
      {"conf_int_1", conf_int(r, 0.01)},
      {"numbers", tensor({r.nobs, r.df_model, r.df_resid, r.ssr, r.ess, r.centered_tss,
                          r.uncentered_tss, r.scale, r.rsquared, r.rsquared_adj, r.fvalue,
                          r.f_pvalue, r.llf, r.aic, r.bic, r.condition_number})},
      {"tests", tensor({r.durbin_watson, r.jarque_bera, r.jarque_bera_pvalue, r.skew, r.kurtosis})},
      {"mean", p.mean},
      {"mean_se", p.mean_se},
      {"mean_ci_lower", p.mean_ci_lower},
      {"mean_ci_upper", p.mean_ci_upper},
      {"obs_ci_lower", p.obs_ci_lower},
      {"obs_ci_upper", p.obs_ci_upper}};
}

StateDict of_glm() {
  const GLMResults r = glm(in.at("y"), in.at("x"),
                           {.family = static_cast<GLMFamily>(number("family", 0)),
                            .link = static_cast<GLMLink>(number("link", 0)),
                            .var_power = number("var_power", 1.5),
                            .nb_alpha = number("nb_alpha", 1)},
                           in["sample_weight"], in["offset"]);
  std::cout << summary(r);
  return {
      {"params", r.params},
      {"bse", r.bse},
      {"tvalues", r.tvalues},
      {"pvalues", r.pvalues},
      {"cov_params", r.cov_params},
      {"fittedvalues", r.fittedvalues},
      {"resid_deviance", r.resid_deviance},
      {"resid_pearson", r.resid_pearson},
      {"conf_int", conf_int(r)},
      {"numbers", tensor({r.nobs, r.df_model, r.df_resid, r.deviance, r.null_deviance,
                          r.pearson_chi2, r.scale})},
      {"likelihoods", tensor({r.llf, r.llnull, r.aic, r.bic, r.prsquared, r.llr, r.llr_pvalue})}};
}

StateDict of_path() {
  const PathResult r = enet_path(in.at("x"), in.at("y"),
                                 {.l1_ratio = number("l1_ratio", 0.5),
                                  .eps = number("eps", 1e-3),
                                  .n_alphas = static_cast<int64_t>(number("n_alphas", 100)),
                                  .precompute = number("precompute", 0) != 0,
                                  .max_iter = 100000,
                                  .tol = number("tol", 1e-4),
                                  .positive = number("positive", 0) != 0});
  return {{"alphas", r.alphas}, {"coefs", r.coefs}, {"dual_gaps", r.dual_gaps}};
}

StateDict of_lars() {
  const LarsPath r = lars_path(in.at("x"), in.at("y"), number("lasso", 0) != 0);
  return {{"alphas", r.alphas}, {"coefs", r.coefs}, {"active", r.active}};
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 4) return 2;
  const std::string what = argv[1];
  for (const auto& [name, value] : io::read_npz(argv[2])) in[name] = value;
  for (int i = 4; i < argc; ++i) {
    const std::string option = argv[i];
    const size_t at = option.find('=');
    options[option.substr(0, at)] = option.substr(at + 1);
  }
  const std::map<std::string, StateDict (*)()> functions{
      {"ols", of_ols}, {"glm", of_glm}, {"path", of_path}, {"lars", of_lars}, {"bayes", of_bayes}};
  const StateDict out = functions.at(what)();
  io::write_npz(argv[3], out);
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
