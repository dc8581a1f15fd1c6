// Glia's side of preprocessing.py: preprocessing IN.npz OUT.npz. IN has for each case "N.x", "N.y"
// or not, "N.new", and "N.spec" of bytes: "MinMaxScaler clip=true"; OUT what the estimator gives.
#include <iostream>
#include <map>
#include <sstream>

#include "glia/classic/estimator.h"
#include "glia/classic/feature_selection.h"
#include "glia/io.h"
#include "glia/ops.h"

using namespace glia;

int main(int argc, char** argv) try {
  if (argc != 3) return 2;
  std::map<std::string, Tensor> in;
  for (const auto& [name, value] : io::read_npz(argv[1])) in[name] = value;
  StateDict out;
  for (int64_t i = 0; in.count(std::to_string(i) + ".spec"); ++i) {
    const std::string key = std::to_string(i) + ".";
    const auto bytes = in[key + "spec"].to_vector<uint8_t>();
    std::istringstream words(std::string(bytes.begin(), bytes.end()));
    std::string name, option;
    words >> name;
    const auto estimator = classic::make_estimator(name);
    while (words >> option) {
      const size_t equals = option.find('=');
      for (const classic::Param& p : estimator->params())
        if (p.name() == option.substr(0, equals)) p.set_text(option.substr(equals + 1));
    }
    const Tensor x = in.at(key + "x"), y = in[key + "y"];
    estimator->fit(x, y, in[key + "w"]);
    // What is saved and loaded is the same.
    const std::string file = std::string(argv[2]) + ".safetensors";
    classic::write_estimator(file, *estimator);
    const auto loaded = classic::read_estimator(file);
    out.emplace_back(key + "transform", loaded->transform(in.at(key + "new")));
    for (const auto& [what, value] : estimator->state_dict()) out.emplace_back(key + what, value);
    if (in.count(key + "inverse"))
      out.emplace_back(key + "inverse", loaded->inverse_transform(in.at(key + "inverse")));
  }
  const classic::FeatureScores tests[] = {classic::f_classif(in.at("x"), in.at("y")),
                                          classic::f_regression(in.at("x"), in.at("t")),
                                          classic::chi2(abs(in.at("x")), in.at("y"))};
  const char* names[] = {"f_classif", "f_regression", "chi2"};
  for (int i = 0; i < 3; ++i) {
    out.emplace_back(names[i], tests[i].scores);
    out.emplace_back(std::string(names[i]) + " p", tests[i].pvalues);
  }
  io::write_npz(argv[2], out);
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
