// Glia's side of conformal.py: conformal WHAT IN.npz OUT.npz. Options are arrays of rank 0.
#include "glia/classic/conformal.h"

#include <iostream>
#include <map>

#include "glia/classic/linear_model.h"
#include "glia/io.h"
#include "glia/ops.h"

using namespace glia;

int main(int argc, char** argv) try {
  if (argc != 4) return 2;
  const std::string what = argv[1];
  std::map<std::string, Tensor> in;
  for (const auto& [name, value] : io::read_npz(argv[2])) in[name] = value;
  const double level = in.at("level").item();
  const auto interval = [](const classic::PredictionInterval& p) -> StateDict {
    return {{"prediction", p.prediction}, {"lower", p.lower}, {"upper", p.upper}};
  };
  StateDict out;
  if (what == "split") {
    classic::LinearRegression model;
    model.fit(in.at("x"), in.at("y"));
    classic::SplitConformalRegressor split(model, {.confidence_level = level, .prefit = true});
    split.fit(in.at("hold"), in.at("hold_y"));
    out = interval(split.predict_interval(in.at("new")));
  } else if (what == "cross") {
    classic::CrossConformalRegressor cross(classic::LinearRegression(),
                                           {.confidence_level = level});
    cross.fit(in.at("x"), in.at("y"));
    out = interval(cross.predict_interval(in.at("new")));
  } else if (what == "quantile") {
    classic::QuantileConformalOptions options;
    options.confidence_level = level;
    options.symmetric_correction = in.at("symmetric").item() != 0;
    options.conformalize_size = 0;  // the scores are others'
    classic::ConformalizedQuantileRegressor model(classic::QuantileRegressor({.alpha = 0}),
                                                  options);
    model.fit(in.at("x"), in.at("y"));
    model.conformalize(in.at("hold"), in.at("hold_y"));
    out = interval(model.predict_interval(in.at("new")));
  } else {
    const auto score = what == "lac"   ? classic::ConformityScore::kLac
                       : what == "aps" ? classic::ConformityScore::kAps
                                       : classic::ConformityScore::kApsRandomized;
    const auto seed = static_cast<uint64_t>(in.at("seed").item());
    const double threshold = classic::conformal_quantile(
        classic::conformity_scores(in.at("p"), in.at("y"), score, seed), level);
    out = {
        {"sets", cast(classic::prediction_sets(in.at("new"), threshold, score, seed + 1), kF64)}};
  }
  io::write_npz(argv[3], out);
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
