// Glia's side of speed.py: speed MODE DATA.npz EPOCHS, MODE gcn, gat, sage (one graph) or gin
// (batches). Prints seconds and seconds of the processor of an epoch, and the last loss.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>

#include "glia/autodiff.h"
#include "glia/data.h"
#include "glia/graphs/models.h"
#include "glia/io.h"
#include "glia/optim.h"
#include "glia/random.h"

using namespace glia;
using namespace glia::graphs;

namespace {

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}
double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// step() is called `warm` times, then `count` times that are measured.
template <class F>
void measure(int warm, int count, F&& step) {
  double loss = 0;
  for (int i = 0; i < warm; ++i) loss = step();
  const double wall = wall_seconds(), cpu = cpu_seconds();
  for (int i = 0; i < count; ++i) loss = step();
  std::printf("%.9g %.9g %.9g\n", (wall_seconds() - wall) / count, (cpu_seconds() - cpu) / count,
              loss);
}

using Inputs = std::map<std::string, Tensor>;

void one_graph(const std::string& mode, const Inputs& in, int epochs) {
  const bool sparse = mode.ends_with("-sparse");
  const std::string name = mode.substr(0, mode.find('-'));
  const Graph graph(in.at("edge_index"), in.at("x").size(0));
  const Features x = sparse ? Features(Csr::from_dense(in.at("x"))) : Features(in.at("x"));
  const bool gat = name == "gat";
  GNN model(name, x.channels(), 7, {.hidden_channels = gat ? 8 : 16, .dropout = gat ? 0.6 : 0.5});
  optim::Adam optimizer(model.parameters(), {.lr = gat ? 0.005 : 0.01, .weight_decay = 5e-4});
  const Tensor train = in.at("train"), y = take(in.at("y"), train);
  measure(5, epochs, [&] {
    const Tensor loss = cross_entropy(take(model(x, graph), train), y);
    optimizer.step(gradients(loss, model.parameters()));
    return loss.item();
  });
}

void batches(const Inputs& in, int epochs) {
  const auto owner = in.at("owner").to_vector<int64_t>();
  const auto ends = in.at("edge_index").to_vector<int64_t>();
  const auto labels = in.at("y").to_vector<int64_t>();
  std::vector<int64_t> first(labels.size() + 1);
  for (const int64_t g : owner) ++first[static_cast<size_t>(g) + 1];
  for (size_t g = 0; g < labels.size(); ++g) first[g + 1] += first[g];
  std::vector<std::vector<int32_t>> from(labels.size()), to(labels.size());
  const size_t edges = ends.size() / 2;
  for (size_t e = 0; e < edges; ++e) {
    const auto g = static_cast<size_t>(owner[static_cast<size_t>(ends[e])]);
    from[g].push_back(static_cast<int32_t>(ends[e] - first[g]));
    to[g].push_back(static_cast<int32_t>(ends[edges + e] - first[g]));
  }
  std::vector<Data> all;
  for (size_t g = 0; g < labels.size(); ++g) {
    Data one;
    one.graph = Graph::from_edges(from[g], to[g], first[g + 1] - first[g]);
    one.x = slice(in.at("x"), 0, {first[g], first[g + 1]});
    one.y = tensor({labels[g]});
    all.push_back(one);
  }
  GINClassifier model(in.at("x").size(1), 2);
  optim::Adam optimizer(model.parameters(), {.lr = 0.01});
  auto which =
      data::from_tensors(arange(static_cast<int64_t>(all.size()))).shuffle(0).batch(32, true);
  measure(2, epochs, [&] {
    double last = 0;
    for (const auto& [index] : which) {
      const Batch b = collate(all, index.data<int64_t>(), {.pad = true});
      const Tensor loss =
          cross_entropy(model(b.x.sources(), b.graph, b.membership, b.node_mask), b.y);
      optimizer.step(gradients(loss, model.parameters()));
      last = loss.item();
    }
    return last;
  });
}

}  // namespace

int main(int, char** argv) try {
  manual_seed(0);
  Inputs in;
  for (const auto& [name, value] : io::read_npz(argv[2])) in.emplace(name, value);
  if (std::string(argv[1]) == "gin")
    batches(in, std::atoi(argv[3]));
  else
    one_graph(argv[1], in, std::atoi(argv[3]));
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
