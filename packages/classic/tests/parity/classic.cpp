// Glia's side of classic.py: classic ESTIMATOR IN.npz OUT.npz. Options are arrays of rank 0.
#include <iostream>
#include <map>

#include "glia/classic/cluster.h"
#include "glia/classic/decomposition.h"
#include "glia/classic/metrics.h"
#include "glia/classic/preprocessing.h"
#include "glia/io.h"

using namespace glia;

int main(int argc, char** argv) try {
  if (argc != 4) return 2;
  const std::string estimator = argv[1];
  std::map<std::string, Tensor> in;
  for (const auto& [name, value] : io::read_npz(argv[2])) in[name] = value;
  const auto option = [&](const char* name, double fallback) {
    return in.count(name) ? in[name].item() : fallback;
  };
  const Tensor x = in.at("x");
  StateDict out;
  if (estimator == "kmeans") {
    classic::KMeansOptions options{
        .n_clusters = static_cast<int64_t>(option("n_clusters", 8)),
        .init_centers = in["init"],
        .max_iter = static_cast<int64_t>(option("max_iter", 300)),
        .tol = option("tol", 1e-4),
        .random_state = static_cast<uint64_t>(option("random_state", 0))};
    if (in.count("n_init")) options.n_init = in["n_init"].item<int64_t>();
    if (option("random", 0) != 0) options.init = classic::KMeansInit::kRandom;
    if (option("elkan", 0) != 0) options.algorithm = classic::KMeansAlgorithm::kElkan;
    classic::KMeans kmeans(options);
    kmeans.fit(x, {}, in["sample_weight"]);
    out = kmeans.state_dict();
    out.emplace_back("predict", kmeans.predict(in.at("new")));
    out.emplace_back("transform", kmeans.transform(in.at("new")));
    out.emplace_back("score", tensor(kmeans.score(in.at("new"))));
  } else if (estimator == "scaler") {
    classic::StandardScaler scaler;
    scaler.fit(x);
    out = scaler.state_dict();
    out.emplace_back("transform", scaler.transform(x));
  } else if (estimator == "pca") {
    classic::PCA pca({.n_components = static_cast<int64_t>(option("n_components", 1)),
                      .whiten = option("whiten", 0) != 0});
    pca.fit(x);
    out = pca.state_dict();
    out.emplace_back("transform", pca.transform(x));
  } else if (estimator == "scores") {
    const auto s = classic::clustering_scores(x, in.at("pred"));
    out = {{"scores", tensor({s.homogeneity, s.completeness, s.v_measure, s.adjusted_rand,
                              s.adjusted_mutual_info})}};
  } else {
    return 2;
  }
  io::write_npz(argv[3], out);
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
