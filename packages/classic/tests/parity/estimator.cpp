// Any estimator by its name, for the Python programs beside this: estimator NAME[:PART]
// [OPTION=VALUE...] IN.npz OUT.npz. In: x, and where they are needed y, sample_weight, new, back
// (for inverse_transform) and init (where a map begins); out: its state, what it says of `new`, and
// how far its map can be trusted. PART is the estimator of one that is made of another.
#include <iostream>
#include <map>

#include "glia/classic/estimator.h"
#include "glia/classic/manifold.h"
#include "glia/io.h"

using namespace glia;

// The same with places to begin at, if it is such a map.
template <class T>
void begin_at(std::unique_ptr<classic::Estimator>& estimator, const Tensor& init) {
  const auto* map = dynamic_cast<const T*>(estimator.get());
  if (!map) return;
  auto options = map->options();
  options.init_embedding = init;
  estimator = std::make_unique<T>(options);
}

int main(int argc, char** argv) try {
  if (argc < 4) return 2;
  const std::string name = argv[1];
  const size_t colon = std::min(name.find(':'), name.size());
  auto estimator = classic::make_estimator(name.substr(0, colon));
  if (colon < name.size()) {
    classic::NamedEstimators parts;
    parts.emplace_back("estimator", classic::make_estimator(name.substr(colon + 1)));
    estimator->set_parts(std::move(parts));
  }
  for (int i = 2; i < argc - 2; ++i) {
    const std::string option = argv[i];
    const size_t at = option.find('=');
    bool found = false;
    for (const classic::Param& p : estimator->params())
      if (p.name() == option.substr(0, at)) p.set_text(option.substr(at + 1)), found = true;
    if (!found) throw Error("no option " + option);
  }
  std::map<std::string, Tensor> in;
  for (const auto& [name, value] : io::read_npz(argv[argc - 2])) in[name] = value;
  if (const Tensor init = in["init"]; init.defined()) {
    begin_at<classic::TSNE>(estimator, init);
    begin_at<classic::UMAP>(estimator, init);
    begin_at<classic::MDS>(estimator, init);
  }
  estimator->fit(in.at("x"), in["y"], in["sample_weight"]);
  StateDict out = estimator->state_dict();
  const auto add = [&](const char* name, auto&& call) {
    try {
      out.emplace_back(name, call());
    } catch (const Error& error) {
      if (std::string(error.what()).find(" has no ") == std::string::npos) throw;
    }
  };
  if (const auto* map = dynamic_cast<const classic::Embedding*>(estimator.get())) {
    const Tensor trust = tensor(classic::trustworthiness(in.at("x"), map->embedding));
    out.emplace_back("trustworthiness", trust);
    if (std::string(argv[1]) == "Isomap") out.emplace_back("embedding", map->embedding);
  }
  if (const Tensor y = in["back"]; y.defined())
    add("inverse_transform", [&] { return estimator->inverse_transform(y); });
  if (const Tensor x = in["new"]; x.defined()) {
    add("predict", [&] { return estimator->predict(x); });
    add("predict_proba", [&] { return estimator->predict_proba(x); });
    add("decision_function", [&] { return estimator->decision_function(x); });
    add("transform", [&] { return estimator->transform(x); });
  }
  io::write_npz(argv[argc - 1], out);
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
