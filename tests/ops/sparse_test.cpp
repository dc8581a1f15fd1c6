// Embeddings with row-sparse gradients, the optimizers that know them, and compressed sparse rows:
// against plain loops, against the dense way, and against differences.
#include "glia/sparse.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/nn.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "ops/rows.h"
#include "tests/support/values.h"

namespace glia {
namespace {

using test::message_of;

using Numbers = std::vector<double>;

Numbers numbers(const Tensor& t) { return t.to_vector<double>(); }

void expect_near(const Tensor& a, const Tensor& b, double tolerance) {
  ASSERT_EQ(a.shape(), b.shape());
  const Numbers x = numbers(a), y = numbers(b);
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_NEAR(x[i], y[i], tolerance * std::max(1.0, std::abs(y[i]))) << "element " << i;
}

BagOptions bag(BagMode mode, bool sparse = false) {
  BagOptions o;
  o.mode = mode;
  o.sparse = sparse;
  return o;
}

// ---- Bags -----------------------------------------------------------------------------------

// Ragged bags with an empty one, duplicates within and across bags.
const std::vector<int64_t> kIndices{3, 1, 3, 0, 4, 4, 4, 1};
const std::vector<int64_t> kOffsets{0, 3, 3, 7};

Numbers bags_by_loop(const Tensor& weight, const Numbers& factors, BagMode mode, int64_t padding) {
  const Numbers w = numbers(weight);
  const int64_t width = weight.shape()[1];
  Numbers out;
  for (size_t b = 0; b < kOffsets.size(); ++b) {
    const size_t end = b + 1 < kOffsets.size() ? kOffsets[b + 1] : kIndices.size();
    for (int64_t c = 0; c < width; ++c) {
      double sum = 0, count = 0, largest = -INFINITY;
      for (size_t j = kOffsets[b]; j < end; ++j) {
        if (kIndices[j] == padding) continue;
        const double x = w[kIndices[j] * width + c];
        sum += x * (factors.empty() ? 1 : factors[j]);
        largest = std::max(largest, x);
        ++count;
      }
      out.push_back(count == 0               ? 0
                    : mode == BagMode::kMax  ? largest
                    : mode == BagMode::kMean ? sum / count
                                             : sum);
    }
  }
  return out;
}

TEST(EmbeddingBag, IsTheLoop) {
  const Tensor indices = from_vector(kIndices, {8}), offsets = from_vector(kOffsets, {4});
  for (int64_t width : {1, 7, 16, 64, 100}) {
    for (DType dtype : {kF32, kF64}) {
      const Tensor weight = randn({5, width}, dtype), factors = randn({8}, dtype);
      const double tolerance = dtype == kF64 ? 1e-14 : 1e-5;
      for (BagMode mode : {BagMode::kSum, BagMode::kMean, BagMode::kMax}) {
        for (int64_t padding : {-1, 4}) {
          BagOptions o = bag(mode);
          if (padding >= 0) o.padding_idx = padding - 5;  // from the end
          const Tensor out = embedding_bag(indices, weight, offsets, {}, o);
          expect_near(cast(out, kF64),
                      from_vector(bags_by_loop(weight, {}, mode, padding), {4, width}), tolerance);
        }
      }
      const Tensor out = embedding_bag(cast(indices, kI32), weight, cast(offsets, kI32), factors,
                                       bag(BagMode::kSum));
      expect_near(
          cast(out, kF64),
          from_vector(bags_by_loop(weight, numbers(factors), BagMode::kSum, -1), {4, width}),
          tolerance);
    }
  }
}

TEST(EmbeddingBag, TakesBagsOfOneLengthAndTheLastOffset) {
  const Tensor weight = randn({6, 3}, kF64);
  const Tensor table = tensor<int64_t>({{0, 5}, {2, 2}, {1, 0}});
  for (BagMode mode : {BagMode::kSum, BagMode::kMean, BagMode::kMax}) {
    BagOptions o = bag(mode);
    const Tensor expected = embedding_bag(table, weight, {}, {}, o);
    const Tensor flat = reshape(table, {6});
    EXPECT_EQ(numbers(embedding_bag(flat, weight, tensor<int64_t>({0, 2, 4}), {}, o)),
              numbers(expected));
    o.include_last_offset = true;
    EXPECT_EQ(numbers(embedding_bag(flat, weight, tensor<int64_t>({0, 2, 4, 6}), {}, o)),
              numbers(expected));
  }
  for (const Shape& s : {Shape{0, 4}, Shape{3, 0}})
    EXPECT_EQ(numbers(embedding_bag(zeros(s, kI64), weight)), Numbers(s[0] * 3, 0.0));
}

TEST(EmbeddingBag, HasTheDerivativesOfDifferences) {
  const Tensor indices = from_vector(kIndices, {8}), offsets = from_vector(kOffsets, {4});
  for (bool sparse : {false, true}) {
    for (BagMode mode : {BagMode::kSum, BagMode::kMean, BagMode::kMax}) {
      BagOptions o = bag(mode, sparse);
      o.padding_idx = 1;
      const TensorFunction f = [&](const std::vector<Tensor>& t) {
        return square(embedding_bag(indices, t[0], offsets, {}, o));
      };
      EXPECT_EQ(gradcheck(f, {randn({5, 3}, kF64)}), "");
      EXPECT_EQ(gradgradcheck(f, {randn({5, 3}, kF64)}), "");
    }
    const TensorFunction weighted = [&](const std::vector<Tensor>& t) {
      BagOptions o = bag(BagMode::kSum, sparse);
      o.padding_idx = 3;
      return square(embedding_bag(indices, t[0], offsets, t[1], o));
    };
    EXPECT_EQ(gradcheck(weighted, {randn({5, 3}, kF64), randn({8}, kF64)}), "");
    EXPECT_EQ(gradgradcheck(weighted, {randn({5, 3}, kF64), randn({8}, kF64)}), "");
    const TensorFunction rows = [&](const std::vector<Tensor>& t) {
      return square(embedding(tensor<int64_t>({{0, -1}, {4, 0}}), t[0], {2, sparse}));
    };
    EXPECT_EQ(gradcheck(rows, {randn({5, 3}, kF64)}), "");
    EXPECT_EQ(gradgradcheck(rows, {randn({5, 3}, kF64)}), "");
  }
}

TEST(EmbeddingBag, SaysWhatIsWrongAndLosesNothing) {
  const Tensor weight = ones({5, 2});
  const auto call = [&](const Tensor& i, const Tensor& o) {
    embedding_bag(i, weight, o).to_vector<float>();
  };
  EXPECT_NE(message_of<ValueError>([&] {
              call(tensor<int64_t>({{0, 5}}), {});
            }).find("index 5 is out of range for 5 rows"),
            std::string::npos);
  EXPECT_THROW(call(tensor<int64_t>({{0, -1}}), {}), ValueError);
  EXPECT_THROW(call(tensor<int64_t>({0, 1}), tensor<int64_t>({1})), ValueError);
  EXPECT_THROW(call(tensor<int64_t>({0, 1}), tensor<int64_t>({0, 3})), ValueError);
  EXPECT_THROW(call(tensor<int64_t>({0, 1}), tensor<int64_t>({0, 2, 1})), ValueError);
  EXPECT_THROW(call(tensor<int64_t>({0, 1}), {}), ShapeError);
  EXPECT_THROW(call(ones({2, 2}), {}), ShapeError);
  EXPECT_THROW(embedding_bag(zeros({2, 2}, kI64), weight, {}, ones({2, 2})), ShapeError);

  nn::EmbeddingBag layer(5, 2, bag(BagMode::kSum, true));
  optim::Adagrad optimizer(layer.parameters());
  const Numbers before = numbers(layer.weight.tensor());
  EXPECT_THROW(optimizer.step(gradients(sum(layer(tensor<int64_t>({{0, 5}}))), layer.parameters())),
               ValueError);
  EXPECT_EQ(numbers(layer.weight.tensor()), before);
  EXPECT_EQ(optimizer.steps(), 0);
}

// ---- Row-sparse gradients -----------------------------------------------------------------------

// Two layers with the same weights, one with sparse gradients, over several steps of uneven ids.
template <class Make>
void expect_same_training(Make make, int times_used, double clip) {
  manual_seed(7);
  nn::EmbeddingBag dense(50, 6, bag(BagMode::kMean)), sparse(50, 6, bag(BagMode::kMean, true));
  sparse.weight = dense.weight.tensor();
  auto one = make(dense.parameters()), other = make(sparse.parameters());
  for (int step = 0; step < 4; ++step) {
    const Tensor ids = remainder(randint(0, 50, {9, 4}) * randint(0, 3, {9, 4}), 50);
    eval(ids);
    const auto train = [&](const nn::EmbeddingBag& layer, optim::Optimizer& optimizer) {
      Tensor loss = sum(square(layer(ids) - 1));
      if (times_used > 1) loss = loss + sum(layer(flip(ids, {0})) * 3);
      std::vector<Tensor> grads = gradients(loss, layer.parameters());
      EXPECT_EQ(row_sparse(grads[0]).has_value(), layer.options.sparse);
      if (clip > 0) grads = optim::clip_grad_norm(grads, clip).gradients;
      if (clip < 0) grads = optim::clip_grad_value(grads, -clip);
      optimizer.step(std::move(grads));
    };
    train(dense, *one);
    train(sparse, *other);
    expect_near(sparse.weight.tensor(), dense.weight.tensor(), 1e-5);
  }
}

TEST(RowSparse, TrainsAsTheDenseGradientDoes) {
  const auto adagrad = [](double decay) {
    return [=](const ParameterList& p) {
      return std::make_unique<optim::Adagrad>(
          p,
          optim::AdagradOptions{
              .lr = 0.1, .lr_decay = 0.1, .weight_decay = decay, .initial_accumulator_value = 0.2});
    };
  };
  const auto sgd = [](double momentum) {
    return [=](const ParameterList& p) {
      return std::make_unique<optim::SGD>(p, optim::SGDOptions{.lr = 0.1, .momentum = momentum});
    };
  };
  const auto adam = [](const ParameterList& p) { return std::make_unique<optim::Adam>(p); };
  for (int used : {1, 2}) {
    for (double clip : {0.0, 0.5, -0.05}) {
      expect_same_training(adagrad(0), used, clip);
      expect_same_training(adagrad(0.1), used, clip);
      expect_same_training(sgd(0), used, clip);
      expect_same_training(sgd(0.9), used, clip);
      expect_same_training(adam, used, clip);
    }
  }
}

TEST(RowSparse, AdagradIsItsFormula) {
  Parameter p(tensor({1.0, 2.0}));
  ParameterList list;
  list.push_back(p);
  optim::Adagrad optimizer(
      list, {.lr = 0.5, .lr_decay = 0.1, .weight_decay = 0.01, .initial_accumulator_value = 0.3});
  double x = 1, total = 0.3;
  for (int step = 1; step <= 3; ++step) {
    optimizer.step({tensor({0.7, -0.2})});
    const double g = 0.7 + 0.01 * x;
    total += g * g;
    x -= 0.5 / (1 + (step - 1) * 0.1) * g / (std::sqrt(total) + 1e-10);
    EXPECT_NEAR(numbers(p.tensor())[0], x, 1e-14);
  }
}

TEST(RowSparse, SparseAdamMovesOnlyTheRowsThatWereUsed) {
  nn::Embedding layer(6, 2, {.sparse = true});
  layer.to(kF64);
  optim::SparseAdam optimizer(layer.parameters(), {.lr = 0.1});
  Numbers p = numbers(layer.weight.tensor()), m(12, 0.0), v(12, 0.0);
  const std::vector<std::vector<int64_t>> steps{{1, 4, 1}, {4, 0, 0}, {1, 1, 1}};
  for (size_t t = 1; t <= steps.size(); ++t) {
    Numbers g(12, 0.0);
    std::vector<bool> used(6);
    for (int64_t id : steps[t - 1]) {
      used[id] = true;
      for (int c = 0; c < 2; ++c) g[2 * id + c] += 2 * p[2 * id + c];
    }
    optimizer.step(
        gradients(sum(square(layer(from_vector(steps[t - 1], {3})))), layer.parameters()));
    for (size_t i = 0; i < p.size(); ++i) {
      if (!used[i / 2]) continue;
      m[i] += (g[i] - m[i]) * 0.1;
      v[i] += (g[i] * g[i] - v[i]) * 0.001;
      p[i] -= 0.1 * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t)) * m[i] /
              (std::sqrt(v[i]) + 1e-8);
    }
    const Numbers now = numbers(layer.weight.tensor());
    for (size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(now[i], p[i], 1e-13) << t << " " << i;
  }
  EXPECT_NE(message_of<ValueError>([&] {
              optimizer.step({ones({6, 2}, kF64)});
            }).find("dense"),
            std::string::npos);
}

TEST(RowSparse, StateIsSavedAndLoaded) {
  const auto train = [](nn::Embedding& layer, optim::Optimizer& optimizer, int64_t first) {
    const Tensor ids = remainder(arange(first, first + 7) * 3, 10);
    optimizer.step(gradients(sum(square(layer(ids))), layer.parameters()));
  };
  nn::Embedding a(10, 3, {.sparse = true});
  optim::Adagrad one(a.parameters());
  train(a, one, 0);
  nn::Embedding b = a;
  optim::Adagrad other(b.parameters());
  other.load_state_dict(one.state_dict());
  train(a, one, 5);
  train(b, other, 5);
  EXPECT_EQ(numbers(a.weight.tensor()), numbers(b.weight.tensor()));
}

TEST(RowSparse, ServesSeveralOptimizersAndTables) {
  const auto train = [](bool sparse) {
    manual_seed(3);
    nn::Embedding a(20, 4, {.sparse = sparse}), b(20, 4, {.sparse = sparse});
    optim::SGD one(a.parameters(), {.lr = 0.1});
    optim::Adagrad other(b.parameters());
    for (int i = 0; i < 3; ++i) {
      const Tensor ids = remainder(arange(8) * (i + 3), 20);
      const Tensor loss = sum(square(a(ids) * b(ids)));
      const Tensor wa = a.weight.tensor(), wb = b.weight.tensor();
      auto grads = gradients(loss, {wa, wb});
      one.step({grads[0]});
      other.step({grads[1]});
    }
    return concat({a.weight.tensor(), b.weight.tensor()});
  };
  expect_near(train(true), train(false), 1e-6);
}

// The table is 8 MB, its update a few rows: nothing as large may be allocated.
TEST(RowSparse, UpdatesInPlace) {
  if (eager()) GTEST_SKIP() << "eager mode keeps old values until the step has ended";
  nn::EmbeddingBag layer(1 << 15, 64, bag(BagMode::kSum, true));
  nn::Embedding second(1 << 15, 64, {.sparse = true});
  ParameterList all = layer.parameters();
  all.push_back(second.weight);
  optim::Adagrad optimizer(all);
  const Tensor ids = remainder(arange(40) * 1237, 1 << 15);
  const auto step = [&] {
    const Tensor loss = sum(square(layer(reshape(ids, {8, 5})))) + sum(square(second(ids)));
    optimizer.step(gradients(loss, all));
  };
  step();
  step();
  trim();
  const void* const before[] = {layer.weight.tensor().data<float>().data(),
                                second.weight.tensor().data<float>().data()};
  const int64_t used = memory_stats().in_use;
  step();
  EXPECT_EQ(layer.weight.tensor().data<float>().data(), before[0]);
  EXPECT_EQ(second.weight.tensor().data<float>().data(), before[1]);
  EXPECT_LT(memory_stats().in_use + memory_stats().cached, used + (4 << 20));
}

TEST(RowSparse, DoesNotDependOnThreads) {
  const int threads = num_threads();
  std::vector<Numbers> results;
  for (int n : {1, 2, 4}) {
    set_num_threads(n);
    manual_seed(5);
    nn::EmbeddingBag layer(3000, 40, bag(BagMode::kSum, true));
    optim::Adagrad optimizer(layer.parameters());
    for (int i = 0; i < 2; ++i) {
      const Tensor u = rand({700, 30});
      const Tensor ids = cast(u * u * u * u * 3000, kI64);
      optimizer.step(gradients(sum(square(layer(ids))), layer.parameters()));
    }
    results.push_back(numbers(layer.weight.tensor()));
  }
  set_num_threads(threads);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

// ---- Compressed rows ----------------------------------------------------------------------------

Tensor random_sparse(int64_t rows, int64_t cols, double density, DType dtype) {
  const Tensor x = randn({rows, cols}, dtype);
  return where(rand({rows, cols}) < density, x, 0);
}

TEST(Csr, MultipliesAsTheDenseMatrixDoes) {
  for (DType dtype : {kF32, kF64}) {
    for (auto [rows, cols, width] : {std::array<int64_t, 3>{5, 7, 3},
                                     {40, 31, 16},
                                     {300, 200, 33},
                                     {1, 1, 1},
                                     {0, 4, 2},
                                     {3, 0, 2},
                                     {4, 4, 0}}) {
      const Tensor dense = random_sparse(rows, cols, 0.2, dtype), x = randn({cols, width}, dtype);
      const Csr a = Csr::from_dense(dense);
      const double tolerance = dtype == kF64 ? 1e-13 : 1e-5;
      expect_near(a.to_dense(), dense, 0);
      expect_near(spmm(a, x), matmul(dense, x), tolerance);
      expect_near(a.transpose().to_dense(), transpose(dense), 0);
      if (width > 0)
        expect_near(spmm(a, squeeze(slice(x, 1, {0, 1}), 1)),
                    squeeze(matmul(dense, slice(x, 1, {0, 1})), 1), tolerance);
    }
  }
}

TEST(Csr, SumsDuplicates) {
  const Tensor values = trainable(tensor({1.0, 2.0, 4.0, 8.0}));
  const Csr a =
      Csr::from_coo(tensor<int64_t>({1, 0, 1, 1}), tensor<int64_t>({2, 0, 2, 0}), values, {2, 3});
  EXPECT_EQ(a.nnz(), 3);
  EXPECT_EQ(numbers(a.to_dense()), (Numbers{2, 0, 0, 8, 0, 5}));
  EXPECT_EQ(a.cols().to_vector<int>(), (std::vector<int>{0, 0, 2}));
  EXPECT_EQ(numbers(gradients(sum(a.to_dense() * tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}})),
                              {values})[0]),
            (Numbers{6, 1, 6, 4}));
}

TEST(Csr, HasTheDerivativesOfDifferences) {
  const Csr a = Csr::from_dense(random_sparse(6, 5, 0.4, kF64));
  const TensorFunction f = [&](const std::vector<Tensor>& t) {
    return square(spmm(a.with_values(t[0]), t[1]));
  };
  EXPECT_EQ(gradcheck(f, {randn({a.nnz()}, kF64), randn({5, 3}, kF64)}), "");
  EXPECT_EQ(gradgradcheck(f, {randn({a.nnz()}, kF64), randn({5, 3}, kF64)}), "");
  const TensorFunction t = [&](const std::vector<Tensor>& in) {
    return square(spmm(a.with_values(in[0]).transpose(), in[1]));
  };
  EXPECT_EQ(gradcheck(t, {randn({a.nnz()}, kF64), randn({6, 2}, kF64)}), "");
}

TEST(Csr, DropsEntries) {
  const Csr a = Csr::from_dense(ones({50, 40}));
  const Numbers dropped = numbers(dropout(a, 0.25).values());
  double zeros = 0;
  for (double x : dropped) {
    zeros += x == 0;
    EXPECT_TRUE(x == 0 || std::abs(x - 1 / 0.75) < 1e-6);
  }
  EXPECT_NEAR(zeros / 2000, 0.25, 0.05);
}

TEST(Csr, SaysWhatIsWrong) {
  const Tensor i = tensor<int64_t>({0, 1}), v = ones({2});
  EXPECT_THROW(Csr(tensor<int64_t>({0, 2}), tensor<int64_t>({0, 3}), v, {1, 3}), ValueError);
  EXPECT_THROW(Csr(tensor<int64_t>({0, 1}), i, v, {1, 3}), ValueError);
  EXPECT_THROW(Csr(tensor<int64_t>({0, 2, 1, 2}), i, v, {3, 3}), ValueError);
  EXPECT_THROW(Csr(i, i, v, {2, 2}), ShapeError);
  EXPECT_THROW(Csr::from_coo(i, tensor<int64_t>({0, -1}), v, {2, 2}), ValueError);
  EXPECT_THROW(Csr::from_coo(i, i, ones({3}), {2, 2}), ShapeError);
  EXPECT_THROW(Csr::from_coo(i, i, ones({2}, kI64), {2, 2}), ShapeError);
  const Csr a = Csr::from_coo(i, i, v, {2, 2});
  EXPECT_NE(message_of<ShapeError>([&] {
              spmm(a, ones({3, 2}));
            }).find("f32 (2, 2) x f32 (3, 2)"),
            std::string::npos);
  EXPECT_THROW(a.with_values(ones({3})), ShapeError);
}

}  // namespace
}  // namespace glia
