// Training on batches whose shapes are always new: sentences, graphs, trees and recordings.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <numeric>

#include "bench.h"

namespace glia::bench {
namespace {

// Each batch is taken several times: the first is a step never seen before, the last one that was.
constexpr int kTimes = 3;

double resident_mb() {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  file >> pages >> pages;
  return pages * 4096 / 1e6;
}

double milliseconds_of(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

// The first `warm` batches warm up. `ms`: the mean of a step never seen before.
Result run_varying(const Options& options, int batches, int warm,
                   const std::function<Tensor(int)>& step) {
  Result result;
  for (int i = 0; i < options.proof_steps; ++i)
    result.results.push_back(mean(abs(step(i % batches))).item());
  if (options.proof_steps) return result;
  for (int i = 0; i < warm; ++i) step(i);
  const GraphStats before = graph_stats();
  double seen = 0;
  for (int i = warm; i < batches; ++i) {
    for (int time = 0; time < kTimes; ++time) {
      const double ms = milliseconds_of([&] { step(i); });
      if (time == 0) result.ms += ms / (batches - warm);
      if (time == kTimes - 1) seen += ms / (batches - warm);
    }
  }
  const GraphStats after = graph_stats();
  reset_memory_peak();
  step(batches - 1);
  result.peak_bytes = static_cast<double>(memory_stats().peak);
  result.planning_ms = after.planning_ms - before.planning_ms;
  result.facts = {{"seen_ms", seen},
                  {"plans", static_cast<double>(after.plans_built - before.plans_built)}};
  if (options.steps) {
    for (int i = 0; i < options.steps / 10; ++i) step(i % batches);
    const double first = resident_mb();
    for (int i = options.steps / 10; i < options.steps; ++i) step(i % batches);
    result.facts.insert(result.facts.end(), {{"rss_mb", resident_mb()}, {"rss_mb_early", first}});
  }
  return result;
}

// Small integers by name, from the file or drawn by `draw`, on the host.
std::vector<int64_t> integers(const Start& start, const std::string& name, const Shape& shape,
                              const std::function<int64_t()>& draw) {
  if (start.from_file()) return cast(start(name, shape), kI64).to_vector<int64_t>();
  std::vector<int64_t> values(shape.numel());
  std::ranges::generate(values, draw);
  return values;
}

Tensor on_device(const std::vector<int64_t>& values) {
  return from_vector(values, {static_cast<int64_t>(values.size())});
}

// A step of Adam on the loss of a batch.
template <class M>
std::function<Tensor(int)> training(const Options& options, const M& model,
                                    const std::function<Tensor(int)>& loss_of) {
  const ParameterList parameters = model.parameters();
  auto optimizer = std::make_shared<optim::Adam>(
      parameters, optim::AdamOptions{.lr = options.lr > 0 ? options.lr : 1e-6});
  return [=](int i) {
    const Tensor loss = loss_of(i);
    optimizer->step(gradients(loss, parameters));
    return loss;
  };
}

struct TextModel : nn::Module {
  nn::Embedding table{1000, 64};
  nn::LSTM lstm{64, 128};
  nn::Linear out{128, 4};
  // ids (T, N), the places of the last words (1, N, 1).
  Tensor operator()(const Tensor& ids, const Tensor& last) const {
    const Tensor states = lstm(table(ids)).out;  // (T, N, 128)
    const Tensor at = expand(last, {1, states.shape()[1], states.shape()[2]});
    return out(squeeze(gather(states, at, 0), 0));
  }
  GLIA_FIELDS(table, lstm, out)
};

// The sum of an edge's source at its target, and a network of two layers (Xu et al. 2019).
struct Gin : nn::Module {
  Gin(int64_t in, int64_t features) : a(in, features), b(features, features) {}
  Tensor operator()(const Tensor& h, const Tensor& from, const Tensor& to) const {
    return relu(b(relu(a(index_add(h, to, take(h, from))))));
  }
  nn::Linear a, b;
  GLIA_FIELDS(a, b)
};
struct GraphModel : nn::Module {
  Gin g0{16, 64}, g1{64, 64}, g2{64, 64};
  nn::Linear out{64, 2};
  GLIA_FIELDS(g0, g1, g2, out)
};

// The child-sum Tree-LSTM (Tai et al. 2015).
struct TreeModel : nn::Module {
  static constexpr int64_t kHidden = 64;
  nn::Embedding table{1000, kHidden};
  nn::Linear wx{kHidden, 3 * kHidden}, uh{kHidden, 3 * kHidden};
  nn::Linear fx{kHidden, kHidden}, fh{kHidden, kHidden};
  nn::Linear out{kHidden, 4};
  GLIA_FIELDS(table, wx, uh, fx, fh, out)
};

struct AudioModel : nn::Module {
  nn::Conv1d c0{1, 32, {.kernel = 400, .stride = 160}}, c1{32, 64, {.kernel = 3, .padding = 1}};
  nn::GRU gru{64, 64, {.batch_first = true}};
  nn::Linear out{64, 10};
  // x (N, samples, 1).
  Tensor operator()(const Tensor& x) const {
    return out(mean(gru(relu(c1(relu(c0(x))))).out, {1}));
  }
  GLIA_FIELDS(c0, c1, gru, out)
};

// The nodes of a batch of trees, those of one height after the other.
struct Trees {
  struct Level {
    Tensor ids;            // of its nodes
    Tensor child, parent;  // of each edge to a child: its row in the states, the node's in here
    Tensor parent_ids;     // (edges): the word of the node
    bool has_edges = false;
  };
  std::vector<Level> levels;
  Tensor roots;
  // parents (trees, most): smaller than the node, -1 of a root, -2 where there is no node.
  Trees(const int64_t* parents, const int64_t* ids, int64_t trees, int64_t most) {
    const int64_t n = trees * most;
    std::vector<int64_t> height(n, 0), row(n, 0), root_rows;
    for (int64_t i = n - 1; i >= 0; --i) {
      if (parents[i] < 0) continue;
      int64_t& above = height[i / most * most + parents[i]];
      above = std::max(above, height[i] + 1);
    }
    int64_t rows = 0;
    const int64_t highest = *std::ranges::max_element(height);
    for (int64_t level = 0; level <= highest; ++level) {
      std::vector<int64_t> words, child, parent, parent_words;
      const int64_t first = rows;
      for (int64_t i = 0; i < n; ++i) {
        if (height[i] != level || parents[i] == -2) continue;
        words.push_back(ids[i]);
        row[i] = rows++;
      }
      for (int64_t i = 0; i < n; ++i) {
        if (parents[i] < 0) continue;
        const int64_t above = i / most * most + parents[i];
        if (height[above] != level) continue;
        child.push_back(row[i]);
        parent.push_back(row[above] - first);
        parent_words.push_back(ids[above]);
      }
      levels.push_back({on_device(words), on_device(child), on_device(parent),
                        on_device(parent_words), !child.empty()});
    }
    for (int64_t i = 0; i < n; i += most) root_rows.push_back(row[i]);
    roots = on_device(root_rows);
  }
};

Tensor tree_logits(const TreeModel& m, const Trees& trees) {
  Tensor states, cells;  // (nodes so far, hidden)
  for (const Trees::Level& level : trees.levels) {
    Tensor gates = m.wx(m.table(level.ids));
    Tensor kept;
    if (level.has_edges) {
      const Tensor below = take(states, level.child);
      const Tensor none = zeros({level.ids.shape()[0], TreeModel::kHidden});
      gates = gates + m.uh(index_add(none, level.parent, below));
      const Tensor forget = sigmoid(m.fx(m.table(level.parent_ids)) + m.fh(below));
      kept = index_add(none, level.parent, forget * take(cells, level.child));
    }
    const std::vector<Tensor> iou = split(gates, TreeModel::kHidden, 1);
    Tensor cell = sigmoid(iou[0]) * tanh(iou[2]);
    if (kept.defined()) cell = cell + kept;
    const Tensor state = sigmoid(iou[1]) * tanh(cell);
    states = states.defined() ? concat({states, state}) : state;
    cells = cells.defined() ? concat({cells, cell}) : cell;
  }
  return m.out(take(states, trees.roots));
}

}  // namespace

Result varying_text(const Options& options) {
  constexpr int64_t kShortest = 5, kLongest = 60, kBatch = 32, kBatches = kLongest - kShortest + 1;
  const Start start(options);
  TextModel model;
  start.load(model);
  data::Random random(0);
  // Every length is the longest of one batch, in some order.
  std::vector<int64_t> longest(kBatches);
  for (int64_t i = 0; i < kBatches; ++i) longest[i] = kShortest + i * 29 % kBatches;
  const auto ids =
      integers(start, "ids", {kBatches, kLongest, kBatch}, [&] { return random.below(1000); });
  int64_t drawn = 0;
  const auto lengths = integers(start, "lengths", {kBatches, kBatch}, [&] {
    const int64_t most = longest[drawn / kBatch];
    return drawn++ % kBatch == 0 ? most : kShortest + random.below(most - kShortest + 1);
  });
  const Tensor target = remainder(arange(kBatch), 4);
  std::vector<std::pair<Tensor, Tensor>> batches;
  for (int64_t i = 0; i < kBatches; ++i) {
    const int64_t* const words = &ids[i * kLongest * kBatch];
    const int64_t* const mine = &lengths[i * kBatch];
    std::vector<int64_t> last(mine, mine + kBatch);
    const int64_t most = *std::ranges::max_element(last);
    for (int64_t& at : last) --at;
    batches.emplace_back(
        from_vector(std::vector<int64_t>(words, words + most * kBatch), {most, kBatch}),
        from_vector(last, {1, kBatch, 1}));
  }
  return run_varying(options, kBatches, 4, training(options, model, [&](int i) {
                       return cross_entropy(model(batches[i].first, batches[i].second), target);
                     }));
}

Result varying_graphs(const Options& options) {
  constexpr int64_t kBatches = 64, kGraphs = 32, kLeast = 10, kMost = 60, kFeatures = 16;
  constexpr int64_t kNodes = kGraphs * kMost;
  const Start start(options);
  GraphModel model;
  start.load(model);
  data::Random random(0);
  const auto sizes = integers(start, "sizes", {kBatches, kGraphs},
                              [&] { return kLeast + random.below(kMost - kLeast + 1); });
  // Of each node two random numbers, of which its neighbours are made.
  const auto drawn =
      integers(start, "neighbours", {kBatches, kNodes, 2}, [&] { return random.below(1 << 20); });
  const Tensor features = start("x", {kNodes, kFeatures});
  const Tensor target = remainder(arange(kGraphs), 2);
  struct Batch {
    Tensor x, from, to, graph;
  };
  std::vector<Batch> batches;
  for (int64_t b = 0; b < kBatches; ++b) {
    std::vector<int64_t> from, to, graph;
    for (int64_t g = 0; g < kGraphs; ++g) {
      const int64_t size = sizes[b * kGraphs + g];
      const auto first = static_cast<int64_t>(graph.size());
      for (int64_t i = 0; i < size; ++i) {
        for (int64_t k = 0; k < 2; ++k) {
          const int64_t other = first + drawn[(b * kNodes + first + i) * 2 + k] % size;
          from.insert(from.end(), {first + i, other});
          to.insert(to.end(), {other, first + i});
        }
        graph.push_back(g);
      }
    }
    Tensor x = slice(features, 0, {0, static_cast<int64_t>(graph.size())}) + 0;
    eval(x);
    batches.push_back({x, on_device(from), on_device(to), on_device(graph)});
  }
  return run_varying(options, kBatches, 4, training(options, model, [&](int i) {
                       const Batch& b = batches[i];
                       Tensor h = b.x;
                       for (const Gin* layer : {&model.g0, &model.g1, &model.g2})
                         h = (*layer)(h, b.from, b.to);
                       const Tensor sums = index_add(zeros({kGraphs, 64}), b.graph, h);
                       return cross_entropy(model.out(sums), target);
                     }));
}

Result varying_trees(const Options& options) {
  constexpr int64_t kBatches = 48, kTrees = 16, kLeast = 10, kMost = 40;
  const Start start(options);
  TreeModel model;
  start.load(model);
  data::Random random(0);
  int64_t at = 0, size = 0;
  // Each node hangs at one before it; kMost places a tree.
  const auto parents = integers(start, "parents", {kBatches, kTrees, kMost}, [&] {
    const int64_t i = at++ % kMost;
    if (i == 0) size = kLeast + random.below(kMost - kLeast + 1);
    return i == 0 ? int64_t{-1} : i < size ? random.below(i) : int64_t{-2};
  });
  const auto ids =
      integers(start, "ids", {kBatches, kTrees, kMost}, [&] { return random.below(1000); });
  const Tensor target = remainder(arange(kTrees), 4);
  std::vector<Trees> batches;
  for (int64_t b = 0; b < kBatches; ++b)
    batches.emplace_back(&parents[b * kTrees * kMost], &ids[b * kTrees * kMost], kTrees, kMost);
  return run_varying(options, kBatches, 4, training(options, model, [&](int i) {
                       return cross_entropy(tree_logits(model, batches[i]), target);
                     }));
}

Result varying_audio(const Options& options) {
  constexpr int64_t kBatches = 24, kBatch = 8, kSecond = 16000;
  const Start start(options);
  AudioModel model;
  start.load(model);
  data::Random random(0);
  const auto lengths = integers(start, "lengths", {kBatches},
                                [&] { return kSecond + random.below(3 * kSecond + 1); });
  const Tensor all = start("x", {kBatch, 4 * kSecond, 1});
  const Tensor target = arange(kBatch);
  std::vector<Tensor> batches;
  for (int64_t length : lengths) batches.push_back(slice(all, 1, {0, length}) + 0);
  eval(batches);
  return run_varying(options, kBatches, 4, training(options, model, [&](int i) {
                       return cross_entropy(model(batches[i]), target);
                     }));
}

}  // namespace glia::bench
