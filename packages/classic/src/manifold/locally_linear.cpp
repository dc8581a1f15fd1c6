#include <algorithm>
#include <cmath>

#include "checks.h"
#include "glia/classic/manifold.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "lanczos.h"
#include "randomized.h"

namespace glia::classic {
namespace {

// Weights (rows, k) of sum 1 with which each row of x is nearest to the mean of its neighbours, of
// which `indices` (rows, k) are rows of y.
Tensor barycenter_weights(const Tensor& x, const Tensor& y, const Tensor& indices, double reg) {
  const int64_t rows = indices.size(0), k = indices.size(1);
  constexpr int64_t kBlock = 1024;
  std::vector<Tensor> blocks;
  for (int64_t begin = 0; begin < rows; begin += kBlock) {
    const Slice part{begin, std::min(rows, begin + kBlock)};
    const Tensor apart = take(y, slice(indices, 0, part)) - unsqueeze(slice(x, 0, part), 1);
    Tensor gram = matmul(apart, transpose(apart));
    const Tensor trace = sum(sum(gram * eye(k, kF64), {2}), {1}, true);
    const Tensor ridge = where(trace > 0, trace * reg, reg);
    gram = gram + eye(k, kF64) * unsqueeze(ridge, 2);
    const Tensor w = linalg::solve(gram, ones({part.stop - part.start, k, 1}, kF64));
    blocks.push_back(squeeze(w / sum(w, {1}, true), {2}));
    eval(blocks.back());
  }
  return concat(blocks, 0);
}

}  // namespace

LocallyLinearEmbedding::LocallyLinearEmbedding(const LocallyLinearEmbeddingOptions& options,
                                               Where where)
    : options_(options) {
  check_options(where);
}

void LocallyLinearEmbedding::check_options(Where where) const {
  const auto& o = options_;
  const auto fail = [&](const char* name, const ParamValue& value) {
    throw ValueError("LocallyLinearEmbedding: " + std::string(name) + " = " + to_text(value),
                     where);
  };
  if (o.n_neighbors < 1) fail("n_neighbors", o.n_neighbors);
  if (o.n_components < 1) fail("n_components", o.n_components);
  if (!(o.reg > 0) || !std::isfinite(o.reg)) fail("reg", o.reg);
}

std::vector<Param> LocallyLinearEmbedding::params() {
  auto& o = options_;
  return {{"n_neighbors", &o.n_neighbors}, {"n_components", &o.n_components}, {"reg", &o.reg}};
}

LocallyLinearEmbedding& LocallyLinearEmbedding::fit(const Tensor& x, const Tensor& /*y*/,
                                                    const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const char* op = "LocallyLinearEmbedding.fit";
  check_options(where);
  refuse_sample_weight(op, sample_weight, where);
  const Tensor given = cast(check_x(op, x, where), kF64);
  const int64_t n = given.size(0), k = options_.n_neighbors, d = options_.n_components;
  if (k >= n || d >= n)
    throw ValueError(
        std::string(op) + ": " + std::to_string(n) + " samples are too few for " +
            (k >= n ? "n_neighbors = " + std::to_string(k) : "n_components = " + std::to_string(d)),
        where);
  NearestNeighbors search({.n_neighbors = k}, where);
  const KNeighbors near = search.fit(given, {}, {}, where).kneighbors({}, {}, where);
  const std::vector<double> w =
      barycenter_weights(given, given, near.indices, options_.reg).to_vector<double>();
  const auto indices = near.indices.data<int64_t>();
  std::vector<double> m(static_cast<size_t>(n * n));  // (I - W)^T (I - W)
  std::vector<std::pair<int64_t, double>> row;
  for (int64_t i = 0; i < n; ++i) {
    row = {{i, 1.0}};
    for (int64_t j = 0; j < k; ++j) row.emplace_back(indices[i * k + j], -w[i * k + j]);
    for (const auto& [a, left] : row)
      for (const auto& [b, right] : row) m[a * n + b] += left * right;
  }
  const Eigen found = least_eigen(from_vector(m, {n, n}), d + 1);
  Tensor map = slice(found.vectors, 1, Slice{1, d + 1});
  map = map * transpose(signs_of_rows(transpose(map)));
  const double error = sum(slice(found.values, 0, Slice{1, d + 1})).item();
  eval(map, where);
  embedding = map;
  reconstruction_error = error;
  fit_x = given;
  n_features_in = given.size(1);
  return *this;
}

Tensor LocallyLinearEmbedding::transform(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given =
      cast(check_x("LocallyLinearEmbedding.transform", x, n_features_in, where), kF64);
  NearestNeighbors search({.n_neighbors = options_.n_neighbors}, where);
  const KNeighbors near = search.fit(fit_x, {}, {}, where).kneighbors(given, {}, where);
  const Tensor w = barycenter_weights(given, fit_x, near.indices, options_.reg);
  return sum(take(embedding, near.indices) * unsqueeze(w, 2), {1});
}

StateDict LocallyLinearEmbedding::state_dict(Where where) const {
  require_fitted("LocallyLinearEmbedding.state_dict", fitted(), where);
  return {{"embedding", embedding},
          {"fit_x", fit_x},
          {"reconstruction_error", tensor(reconstruction_error)}};
}

void LocallyLinearEmbedding::load_state_dict(const StateDict& state, Where where) {
  StateReader read("LocallyLinearEmbedding", state, where);
  const Tensor map = cast(read.take("embedding", kF64, {-1, options_.n_components}), kF64);
  const Tensor samples = cast(read.take("fit_x", kF64, {map.size(0), -1}), kF64);
  const double error = read.number("reconstruction_error");
  read.finish();
  embedding = map;
  fit_x = samples;
  reconstruction_error = error;
  n_features_in = samples.size(1);
}

}  // namespace glia::classic
