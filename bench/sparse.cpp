// Lookups in a large table, and a graph network: work on few of many numbers.
#include <algorithm>
#include <cmath>

#include "bench.h"

namespace glia::bench {
namespace {

// `count` ids below `size`, id k with a weight of (k + 1)^-1.05.
std::vector<int64_t> zipf(int64_t count, int64_t size, data::Random& random) {
  std::vector<double> below(size);
  double sum = 0;
  for (int64_t k = 0; k < size; ++k) below[k] = sum += std::pow(k + 1, -1.05);
  std::vector<int64_t> ids(count);
  for (int64_t& id : ids) {
    const double at = (random.uniform() + random.uniform() * 0x1p-32) * sum;
    id = std::min(std::ranges::upper_bound(below, at) - below.begin(), size - 1);
  }
  return ids;
}

struct ClickModel : nn::Module {
  nn::EmbeddingBag table{1'000'000, 64, {{.sparse = true}, BagMode::kSum}};
  nn::Linear out{64, 1};
  Tensor operator()(const Tensor& ids) const { return squeeze(out(table(ids)), 1); }
  GLIA_FIELDS(table, out)
};

}  // namespace

Result embedding_bag(const Options& options) {
  constexpr int64_t kBatches = 16, kBags = 4096, kLength = 20;
  const Start start(options);
  ClickModel model;
  start.load(model);
  data::Random random(0);
  Tensor all, target;
  if (start.from_file()) {
    all = cast(start("ids", {kBatches, kBags, kLength}), kI64);
    target = start("target", {kBags});
  } else {
    all = from_vector(zipf(kBatches * kBags * kLength, model.table.weight.shape()[0], random),
                      {kBatches, kBags, kLength});
    target = cast(bernoulli({kBags}, 0.5), kF32);
  }
  std::vector<Tensor> batches;
  for (int64_t i = 0; i < kBatches; ++i) batches.push_back(index(all, {i}) + 0);
  eval(batches);
  eval(target);
  const ParameterList parameters = model.parameters();
  optim::Adagrad optimizer(parameters, {.lr = options.lr > 0 ? options.lr : 0.01});
  size_t step = 0;
  Result result = run(options, [&] {
    const Tensor loss = binary_cross_entropy_with_logits(model(batches[step++ % kBatches]), target);
    optimizer.step(gradients(loss, parameters));
    return loss;
  });
  return result;
}

Result gcn(const Options& options) {
  constexpr int64_t kNodes = 2708, kEdges = 5278, kFeatures = 1433, kHidden = 16, kClasses = 7;
  constexpr int64_t kLabelled = 140;
  const Start start(options);
  // Edges both ways and to itself, each divided by the root of both degrees (Kipf & Welling 2017).
  Tensor from = randint(0, kNodes, {kEdges}), to = randint(0, kNodes, {kEdges});
  Tensor x = cast(bernoulli({kNodes, kFeatures}, 0.0127), kF32);
  Tensor label = randint(0, kClasses, {kNodes});
  if (start.from_file()) {
    from = cast(start("from", {kEdges}), kI64);
    to = cast(start("to", {kEdges}), kI64);
    x = start("x", {kNodes, kFeatures});
    label = cast(start("label", {kNodes}), kI64);
  } else {
    x = x / maximum(sum(x, {1}, true), 1);
  }
  const Tensor self = arange(kNodes), source = concat({from, to, self});
  const Tensor target = concat({to, from, self});
  const Tensor degree = index_add(zeros({kNodes}), target, ones({target.numel()}));
  const Csr graph = Csr::from_coo(
      target, source, rsqrt(take(degree, source) * take(degree, target)), {kNodes, kNodes});
  const Csr features = Csr::from_dense(x);
  const Tensor labels = slice(label, 0, {0, kLabelled}) + 0;
  eval({labels, graph.values(), features.values()});

  const auto weight = [&](const std::string& name, const Shape& shape, double scale) {
    return Parameter(start.from_file() ? start(name, shape) : randn(shape) * scale);
  };
  const Parameter w1 = weight("w1", {kFeatures, kHidden}, 0.05), b1 = zeros({kHidden});
  const Parameter w2 = weight("w2", {kHidden, kClasses}, 0.3), b2 = zeros({kClasses});
  ParameterList parameters;
  for (const Parameter* p : {&w1, &b1, &w2, &b2}) parameters.push_back(*p);
  optim::Adam optimizer(parameters,
                        {.lr = options.lr > 0 ? options.lr : 0.01, .weight_decay = 5e-4});
  const double p = options.proof_steps ? 0 : 0.5;  // other frameworks draw other numbers
  return run(options, [&] {
    const Tensor h = relu(spmm(graph, spmm(dropout(features, p), w1)) + b1);
    const Tensor z = spmm(graph, matmul(dropout(h, p), w2)) + b2;
    const Tensor loss = cross_entropy(slice(z, 0, {0, kLabelled}), labels);
    optimizer.step(gradients(loss, parameters));
    return loss;
  });
}

}  // namespace glia::bench
