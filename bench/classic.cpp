// Times estimators of package classic: glia-bench-classic NAME IN.npz [ROUNDS]. A line of JSON: the
// median in ms of fitting (and asking) by the clock and of the processors, the peak of the
// process's memory above what it had with the data, and numbers by which both sides of classic.py
// see that they found the same.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "glia/classic/cluster.h"
#include "glia/classic/decomposition.h"
#include "glia/classic/density.h"
#include "glia/classic/forest.h"
#include "glia/classic/linear_penalised.h"
#include "glia/classic/logistic.h"
#include "glia/classic/manifold.h"
#include "glia/classic/neighbors.h"
#include "glia/classic/svm.h"
#include "glia/io.h"
#include "glia/ops.h"

using namespace glia;
using namespace glia::classic;

namespace {

using Data = std::map<std::string, Tensor>;
using Answer = std::vector<double>;

const std::map<std::string, std::function<Answer(Data&)>> kWorkloads = {
    {"kmeans",
     [](Data& d) -> Answer {
       KMeans m({.n_clusters = 100, .init_centers = d["init"], .max_iter = 20, .tol = 0});
       m.fit(d["x"]);
       return {m.inertia, static_cast<double>(m.n_iter)};
     }},
    {"dbscan",
     [](Data& d) -> Answer {
       DBSCAN m({.eps = 0.3, .min_samples = 10});
       m.fit(d["x"]);
       return {max(cast(m.labels, kF64)).item(),
               static_cast<double>(m.core_sample_indices.numel())};
     }},
    {"pca",
     [](Data& d) -> Answer {
       PCA m({.n_components = 32});
       const Tensor y = m.fit_transform(d["x"]);
       return {sum(m.explained_variance).item(), sum(abs(y)).item()};
     }},
    {"lasso path",
     [](Data& d) -> Answer {
       const PathResult path = lasso_path(d["x"], d["y"]);
       return {sum(abs(path.coefs)).item(), max(path.alphas).item()};
     }},
    {"logistic",
     [](Data& d) -> Answer {
       LogisticRegression m;
       m.fit(d["x"], d["y"]);
       return {sum(abs(m.coef)).item(), m.score(d["x"], d["y"])};
     }},
    {"softmax",
     [](Data& d) -> Answer {
       LogisticRegression m;
       m.fit(d["x"], d["y"]);
       return {m.score(d["x"], d["y"])};
     }},
    {"forest",  // asked again and again; the first round, which fits it, is not the median
     [](Data& d) -> Answer {
       static const auto m = [&] {
         RandomForestClassifier model({.n_estimators = 100});
         model.fit(slice(d["x"], 0, {0, 5000}), slice(d["y"], 0, {0, 5000}));
         return model;
       }();
       const Tensor p = m.predict_proba(d["x"]);
       return {sum(square(p)).item() / static_cast<double>(p.size(0))};
     }},
    {"neighbors",
     [](Data& d) -> Answer {
       NearestNeighbors m;
       const KNeighbors near = m.fit(d["x"]).kneighbors(d["x"]);
       return {sum(near.distances).item(), sum(cast(near.indices, kF64)).item()};
     }},
    {"svm",
     [](Data& d) -> Answer {
       SVC m;
       m.fit(d["x"], d["y"]);
       return {static_cast<double>(m.support.numel()), m.score(d["x"], d["y"])};
     }},
    {"t-sne",
     [](Data& d) -> Answer {
       TSNE m;
       m.fit(d["x"]);
       return {m.kl_divergence, trustworthiness(d["x"], m.embedding)};
     }},
};

// Of /proc/self/status, in MB: memory now (VmRSS) and its peak (VmHWM).
double memory_mb(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(name + ":"))
      return std::strtod(line.c_str() + name.size() + 1, nullptr) / 1024;
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3 || !kWorkloads.count(argv[1])) {
    std::printf("usage: glia-bench-classic NAME IN.npz [ROUNDS]; names:");
    for (const auto& [name, run] : kWorkloads) std::printf(" '%s'", name.c_str());
    std::printf("\n");
    return 2;
  }
  Data data;
  for (const auto& [name, value] : io::read_npz(argv[2])) data[name] = value;
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak begins anew
  const double before = memory_mb("VmRSS");
  std::vector<double> times, cpu;
  Answer answer;
  for (int i = 0; i < (argc > 3 ? std::atoi(argv[3]) : 1); ++i) {
    const auto start = std::chrono::steady_clock::now();
    const std::clock_t busy = std::clock();
    answer = kWorkloads.at(argv[1])(data);
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count());
    cpu.push_back(1e3 * static_cast<double>(std::clock() - busy) / CLOCKS_PER_SEC);
  }
  std::sort(cpu.begin(), cpu.end());
  std::sort(times.begin(), times.end());
  std::printf("{\"ms\": %.3f, \"cpu_ms\": %.3f, \"mb\": %.1f, \"answer\": [",
              times[times.size() / 2], cpu[cpu.size() / 2], memory_mb("VmHWM") - before);
  for (size_t i = 0; i < answer.size(); ++i) std::printf("%s%.17g", i ? ", " : "", answer[i]);
  std::printf("]}\n");
} catch (const std::exception& error) {
  std::fprintf(stderr, "glia-bench-classic: %s\n", error.what());
  return 1;
}
