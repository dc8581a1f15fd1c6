// Movement, building and products of arrays.
#include "glia/ops/arrange.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <random>

#include "glia/autodiff.h"
#include "glia/ops/contract.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

using In = const std::vector<Tensor>&;

void check_derivatives(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  EXPECT_EQ(gradcheck(f, inputs), "");
  EXPECT_EQ(gradgradcheck(f, inputs), "");
}
template <class F>
void expect_fails(F&& f, const std::string& what) {
  const std::string message = message_of(f);
  EXPECT_NE(message.find(what), std::string::npos) << message << "; expected: " << what;
}
Tensor counted(const Shape& shape) { return reshape(arange(shape.numel(), kF64), shape); }

// ---- Movement ----

TEST(Arrange, Axes) {
  const Tensor x = counted({2, 3, 4});
  EXPECT_EQ(movedim(x, {0}, {-1}).shape().str(), "(3, 4, 2)");
  EXPECT_EQ(movedim(x, {0, 1}, {2, 0}).shape().str(), "(3, 4, 2)");
  expect_same(swapaxes(x, 0, 2), transpose(x, 0, 2));
  EXPECT_EQ(atleast_1d(tensor(1.0)).shape().str(), "(1,)");
  EXPECT_EQ(atleast_2d(ones({3})).shape().str(), "(1, 3)");
  EXPECT_EQ(atleast_3d(ones({3})).shape().str(), "(1, 3, 1)");
  EXPECT_EQ(atleast_3d(ones({2, 3})).shape().str(), "(2, 3, 1)");
  EXPECT_EQ(broadcast_tensors({ones({3, 1}), ones({4})})[1].shape().str(), "(3, 4)");
  expect_fails([&] { movedim(x, {0, 0}, {1, 2}); }, "twice");
  expect_fails([&] { movedim(x, {0}, {1, 2}); }, "1 axes to 2 places");
  expect_fails([&] { broadcast_tensors({ones({3}), ones({4})}); }, "(3,)");
  expect_fails([&] { broadcast_tensors({}); }, "no tensors");
}

TEST(Arrange, Parts) {
  const Tensor x = counted({2, 5});
  expect_values(narrow(x, 1, -2, 2), {2, 2}, {3, 4, 8, 9});
  EXPECT_EQ(unbind(x, 1).size(), 5u);
  expect_values(unbind(x, 1)[2], {2}, {2, 7});
  EXPECT_EQ(chunk(x, 3, 1).size(), 3u);
  EXPECT_EQ(chunk(x, 4, 1).size(), 3u);  // of two each
  EXPECT_EQ(chunk(x, 9, 1).size(), 5u);
  EXPECT_EQ(tensor_split(x, 3, 1)[0].shape().str(), "(2, 2)");
  EXPECT_EQ(tensor_split(x, 7, 1)[6].shape().str(), "(2, 0)");
  EXPECT_EQ(tensor_split(x, std::vector<int64_t>{3, 2}, 1)[1].shape().str(), "(2, 0)");
  expect_values(unfold(tensor<double>({1, 2, 3, 4, 5}), 0, 3, 2), {2, 3}, {1, 2, 3, 3, 4, 5});
  EXPECT_EQ(unfold(x, 1, 5, 1).shape().str(), "(2, 1, 5)");
  EXPECT_EQ(sliding_window_view(x, {2, 3}).shape().str(), "(1, 3, 2, 3)");
  expect_values(sliding_window_view(tensor<double>({1, 2, 3}), {2}), {2, 2}, {1, 2, 2, 3});
  check_derivatives([](In t) { return square(unfold(t[0], 1, 3, 2)); }, {numbers({2, 6})});
  check_derivatives([](In t) { return square(unfold(t[0], 0, 2, 1)); }, {numbers({3, 2})});
  const auto rows = [](const std::vector<Tensor>& t) { return unfold(t[0], 0, 2, 2); };
  EXPECT_TRUE(vmap(rows)({x}).to_vector<double>() == unfold(x, 1, 2, 2).to_vector<double>());
  expect_fails([&] { narrow(x, 1, 4, 2); }, "2 elements from 4");
  expect_fails([&] { narrow(x, 1, 0, -1); }, "narrow");
  expect_fails([&] { narrow(x, 1, 1, INT64_MAX); }, "narrow");
  expect_fails([&] { chunk(x, 0); }, "0 chunks");
  expect_fails([&] { unfold(x, 1, 6, 1); }, "windows of 6");
  expect_fails([&] { unfold(x, 1, 2, 0); }, "the step is 0");
  EXPECT_EQ(unfold(x, 1, 2, INT64_MAX).shape().str(), "(2, 1, 2)");
}

TEST(Arrange, JoiningAndRepeating) {
  const Tensor a = tensor<double>({1, 2}), b = tensor<double>({3, 4});
  expect_values(hstack({a, b}), {4}, {1, 2, 3, 4});
  expect_values(vstack({a, b}), {2, 2}, {1, 2, 3, 4});
  expect_values(dstack({a, b}), {1, 2, 2}, {1, 3, 2, 4});
  expect_values(column_stack({a, b}), {2, 2}, {1, 3, 2, 4});
  expect_values(repeat(a, {2, 2}), {2, 4}, {1, 2, 1, 2, 1, 2, 1, 2});
  expect_values(tile(tensor<double>({{1, 2}}), {3}), {1, 6}, {1, 2, 1, 2, 1, 2});
  expect_values(repeat_interleave(a, 2), {4}, {1, 1, 2, 2});
  expect_values(repeat_interleave(a, tensor<int>({0, 3})), {3}, {2, 2, 2});
  expect_values(repeat_interleave(tensor<double>({{1}, {2}}), tensor<int64_t>({2}), 0), {4, 1},
                {1, 1, 2, 2});
  EXPECT_EQ(repeat(a, {0}).numel(), 0);
  EXPECT_EQ(repeat_interleave(a, 0).numel(), 0);
  const Tensor deep = counted({1, 1, 2, 1, 1, 1, 1, 2});  // no axis is free
  expect_same(reshape(tile(deep, {2}), {2, 4}), tile(reshape(deep, {2, 2}), {2}));
  expect_same(reshape(repeat_interleave(deep, 2, 7), {2, 4}),
              repeat_interleave(reshape(deep, {2, 2}), 2, 1));
  expect_values(roll(tensor<double>({1, 2, 3}), {1}), {3}, {3, 1, 2});
  expect_values(roll(tensor<double>({1, 2, 3}), {-4}), {3}, {2, 3, 1});
  expect_values(roll(tensor<double>({{1, 2}, {3, 4}}), {1}), {2, 2}, {4, 1, 2, 3});
  expect_values(roll(tensor<double>({{1, 2}, {3, 4}}), {1, 1}, {0, 1}), {2, 2}, {4, 3, 2, 1});
  EXPECT_EQ(roll(zeros({0}), {3}).numel(), 0);
  expect_values(roll(tensor<double>({1, 2, 3}), {INT64_MIN}), {3}, {3, 1, 2});
  const Tensor q = tensor<double>({{1, 2}, {3, 4}});
  expect_values(rot90(q), {2, 2}, {2, 4, 1, 3});
  expect_values(rot90(q, 2), {2, 2}, {4, 3, 2, 1});
  expect_values(rot90(q, -1), {2, 2}, {3, 1, 4, 2});
  expect_same(rot90(rot90(q, 3), 5), q);
  expect_values(flipud(q), {2, 2}, {3, 4, 1, 2});
  expect_values(fliplr(q), {2, 2}, {2, 1, 4, 3});
  expect_fails([&] { repeat(q, {2}); }, "repeats (2,) for shape (2, 2)");
  expect_fails([&] { tile(a, {-1}); }, "-1 repeats");
  expect_fails([&] { repeat(a, {INT64_MAX}); }, "");
  expect_fails([&] { repeat_interleave(a, -1); }, "-1 repeats");
  expect_fails([&] { repeat_interleave(a, tensor<int>({1, 2, 3})); }, "3 repeats for axis 0");
  expect_fails([&] { repeat_interleave(a, tensor<int>({1, -2})); }, "-2 repeats");
  expect_fails([&] { roll(q, {1, 2}, {0}); }, "2 shifts for 1 axes");
  expect_fails([&] { rot90(q, 1, {0, 0}); }, "twice");
  expect_fails([&] { fliplr(a); }, "flip");
  check_derivatives(
      [](In t) {
        return roll(repeat(square(t[0]), {2, 1, 3}), {1, 2}, {0, 2});
      },
      {numbers({2, 3})});
}

TEST(Arrange, Diagonals) {
  const Tensor x = counted({3, 4});
  expect_values(diagonal(x), {3}, {0, 5, 10});
  expect_values(diagonal(x, 2), {2}, {2, 7});
  expect_values(diagonal(x, -1), {2}, {4, 9});
  EXPECT_EQ(diagonal(x, 9).numel(), 0);
  EXPECT_EQ(diagonal(x, INT64_MIN).numel(), 0);
  EXPECT_EQ(diagonal(zeros({0, 3})).numel(), 0);
  expect_same(diagonal(stack({x, x}), 0, -2, -1), stack({diagonal(x), diagonal(x)}));
  expect_values(diag(tensor<double>({1, 2}), 1), {3, 3}, {0, 1, 0, 0, 0, 2, 0, 0, 0});
  expect_values(diag(tensor<double>({1, 2}), -1), {3, 3}, {0, 0, 0, 1, 0, 0, 0, 2, 0});
  EXPECT_EQ(diag(zeros({0})).shape().str(), "(0, 0)");
  EXPECT_EQ(diag(zeros({0}), 2).shape().str(), "(2, 2)");
  for (int64_t offset : {-2, 0, 1}) expect_same(diagonal(diag_embed(x, offset), offset, -2, -1), x);
  expect_values(diagflat(tensor<double>({{1, 2}}), 1), {3, 3}, {0, 1, 0, 0, 0, 2, 0, 0, 0});
  expect_values(diagflat(tensor(5.0)), {1, 1}, {5});
  EXPECT_EQ(trace(x).item(), 15);
  expect_values(tril(x, -1), {3, 4}, {0, 0, 0, 0, 4, 0, 0, 0, 8, 9, 0, 0});
  expect_values(triu(x, 2), {3, 4}, {0, 0, 2, 3, 0, 0, 0, 7, 0, 0, 0, 0});
  expect_same(tril(x, 1) + triu(x, 2), x);
  expect_values(tril_indices(2, 3, 0), {2, 3}, {0, 1, 1, 0, 0, 1});
  expect_values(triu_indices(2, 3, 1), {2, 3}, {0, 0, 1, 1, 2, 2});
  EXPECT_EQ(triu_indices(0, 3).shape().str(), "(2, 0)");
  EXPECT_EQ(tril(x, INT64_MIN).dtype(), kF64);
  expect_values(block_diag({tensor<double>({{1, 2}}), tensor<double>({3})}), {2, 3},
                {1, 2, 0, 0, 0, 3});
  check_derivatives([](In t) { return diagonal(t[0], 1, 1, 0) * trace(square(t[0])); },
                    {numbers({4, 3})});
  check_derivatives([](In t) { return diag_embed(square(t[0]), -1, 0, 2); }, {numbers({2, 3})});
  expect_fails([&] { diagonal(tensor<double>({1, 2})); }, "rank 2 at least");
  expect_fails([&] { diagonal(x, 0, 1, 1); }, "twice");
  expect_fails([&] { trace(ones({3})); }, "of a matrix");
  expect_fails([&] { tril(ones({3})); }, "rank 2 at least");
  expect_fails([&] { diag(ones({1, 1, 1})); }, "rank 1 or 2");
  expect_fails([&] { diag(ones({3}), INT64_MAX); }, "");
  expect_fails([&] { tril_indices(-1, 2); }, "-1 rows");
  expect_fails([&] { tril_indices(INT64_MAX, INT64_MAX); }, "");
  expect_fails([&] { triu_indices(INT64_MAX, 7, INT64_MIN); }, "");
  EXPECT_EQ(tril_indices(INT64_MAX, 0).numel(), 0);
  EXPECT_EQ(triu_indices(INT64_MAX, 3, 1).numel(), 6);
  EXPECT_EQ(triu_indices(3, INT64_MAX, INT64_MAX).numel() % 2, 0);
  for (int64_t rows = 0; rows < 5; ++rows) {
    for (int64_t columns = 0; columns < 5; ++columns) {
      for (int64_t offset = -6; offset <= 6; ++offset) {
        const Tensor every = ones({rows, columns});
        expect_same(tril_indices(rows, columns, offset), transpose(nonzero(tril(every, offset))));
        expect_same(triu_indices(rows, columns, offset), transpose(nonzero(triu(every, offset))));
      }
    }
  }
}

TEST(Arrange, Building) {
  const auto ij = meshgrid({tensor<double>({1, 2}), tensor<double>({3, 4, 5})});
  expect_values(ij[0], {2, 3}, {1, 1, 1, 2, 2, 2});
  const auto xy = meshgrid({tensor<double>({1, 2}), tensor<double>({3, 4, 5})}, MeshIndexing::kXy);
  expect_values(xy[0], {3, 2}, {1, 2, 1, 2, 1, 2});
  expect_values(xy[1], {3, 2}, {3, 3, 4, 4, 5, 5});
  expect_values(cartesian_prod({tensor<double>({1, 2}), tensor<double>({3, 4})}), {4, 2},
                {1, 3, 1, 4, 2, 3, 2, 4});
  expect_values(cartesian_prod({tensor<double>({1, 2})}), {2}, {1, 2});
  expect_values(combinations(tensor<double>({1, 2, 3})), {3, 2}, {1, 2, 1, 3, 2, 3});
  expect_values(combinations(tensor<double>({1, 2}), 2, true), {3, 2}, {1, 1, 1, 2, 2, 2});
  EXPECT_EQ(combinations(tensor<double>({1, 2}), 3).shape().str(), "(0, 3)");
  expect_values(eye(2, 3), {2, 3}, {1, 0, 0, 0, 1, 0});
  EXPECT_EQ(full_like(ones({2}, kI32), 7).dtype(), kI32);
  EXPECT_EQ(randn_like(ones({2, 3}, kF64)).dtype(), kF64);
  expect_values(logspace(0, 2, 3), {3}, {1, 10, 100});
  expect_values(logspace(0, 3, 4, 2), {4}, {1, 2, 4, 8});
  expect_values(vander(tensor<double>({2, 3})), {2, 2}, {2, 1, 3, 1});
  expect_values(vander(tensor<int>({2, 3}), 3, true), {2, 3}, {1, 2, 4, 1, 3, 9});
  EXPECT_EQ(vander(tensor<double>({2, 3}), 0).shape().str(), "(2, 0)");
  EXPECT_EQ(vander(tensor<double>({2, 3}), 1).shape().str(), "(2, 1)");
  expect_fails([] { eye(-1, 2); }, "-1 rows");
  expect_fails([] { meshgrid({}); }, "no tensors");
  expect_fails([] { meshgrid({ones({2, 2})}); }, "axes of rank 1");
  expect_fails([] { combinations(ones({3}), -1); }, "r is -1");
  expect_fails([] { combinations(ones({3}), INT64_MAX, true); }, "");
  expect_fails([] { combinations(arange(200), 100); }, "");
  EXPECT_EQ(combinations(arange(12), 5).size(0), 792);
  EXPECT_EQ(combinations(arange(5), 4, true).size(0), 70);
  EXPECT_EQ(combinations(arange(5), 5).size(0), 1);
  EXPECT_EQ(combinations(arange(1), 6, true).size(0), 1);
  EXPECT_EQ(combinations(ones({3}), 100).shape().str(), "(0, 100)");
  expect_fails([] { full_like(ones({2}, kI8), 700); }, "700");
}

// ---- Products ----

TEST(Contract, Products) {
  const Tensor a = counted({2, 3, 4}), b = counted({3, 4, 5});
  expect_same(tensordot(a, b), matmul(reshape(a, {2, 12}), reshape(b, {12, 5})));
  expect_same(tensordot(a, a, {0, 2}, {0, 2}), einsum("aib,ajb->ij", {a, a}));
  expect_same(tensordot(tensor<double>({1.0, 2}), tensor<double>({3.0, 4}), 0),
              tensor<double>({{3.0, 4}, {6, 8}}));
  expect_values(outer(tensor<double>({1, 2}), tensor<double>({3, 4})), {2, 2}, {3, 4, 6, 8});
  expect_values(inner(tensor<double>({{1, 2}, {3, 4}}), tensor<double>({1, 1})), {2}, {3, 7});
  EXPECT_EQ(dot(tensor<double>({1, 2}), tensor<double>({3, 4})).item(), 11);
  expect_values(vecdot(tensor<double>({{1, 2}, {3, 4}}), tensor<double>({1, 1})), {2}, {3, 7});
  expect_values(cross(tensor<double>({1, 0, 0}), tensor<double>({0, 1, 0})), {3}, {0, 0, 1});
  expect_same(addmm(ones({2}), ones({3, 4}), ones({4, 2}), {.beta = 2, .alpha = 0.5}),
              full({3, 2}, 4.0));
  const Tensor bad = full({2}, std::numeric_limits<float>::quiet_NaN());
  expect_same(addmm(bad, ones({3, 4}), ones({4, 2}), {.beta = 0}), full({3, 2}, 4.0));
  const Tensor m = tensor<double>({{1, 1}, {0, 1}});
  expect_values(matrix_power(m, 5), {2, 2}, {1, 5, 0, 1});
  expect_values(matrix_power(m, 0), {2, 2}, {1, 0, 0, 1});
  expect_values(kron(tensor<double>({1, 2}), tensor<double>({{1, 0}, {0, 1}})), {2, 4},
                {1, 0, 2, 0, 0, 1, 0, 2});
  expect_fails([&] { tensordot(a, b, 4); }, "over 4 axes");
  expect_fails([&] { tensordot(a, b, {0}, {0}); }, "differ");
  expect_fails([&] { tensordot(a, b, {1, 1}, {0, 0}); }, "appears twice");
  expect_fails([&] { tensordot(a, b, {1}, {0, 1}); }, "1 axes with 2");
  expect_fails([&] { outer(a, b); }, "of rank 1");
  expect_fails([&] { mm(ones({3}), ones({3, 2})); }, "mm: of rank 2");
  expect_fails([&] { bmm(ones({2, 3, 4}), ones({3, 4, 2})); }, "batches");
  expect_fails([&] { cross(ones({2}), ones({2})); }, "is not of size 3");
  expect_fails([&] { matrix_power(m, -1); }, "n is -1");
  expect_fails([&] { matrix_power(ones({2, 3}), 2); }, "square");
  expect_fails([&] { kron(zeros({1, 1, 1, 1, 1}), m); }, "rank 4 at most");
  check_derivatives([](In t) { return kron(t[0], t[1]); }, {numbers({2, 2}), numbers({2, 3})});
  check_derivatives([](In t) { return cross(t[0], t[1], 0); }, {numbers({3, 2}), numbers({3, 1})});
  check_derivatives([](In t) { return matrix_power(t[0], 3); }, {numbers({3, 3})});
}

TEST(Contract, Distances) {
  const Tensor a = tensor<double>({{0.0, 0}, {3, 4}}),
               b = tensor<double>({{0.0, 0}, {0, 1}, {3, 0}});
  expect_values(cdist(a, b), {2, 3}, {0, 1, 3, 5, std::sqrt(18), 4}, 1e-15);
  expect_values(cdist(a, b, 1), {2, 3}, {0, 1, 3, 7, 6, 4});
  expect_values(cdist(a, b, 0), {2, 3}, {0, 1, 1, 2, 2, 1});
  expect_values(pdist(b), {3}, {1, 3, std::sqrt(10)}, 1e-15);
  EXPECT_EQ(pdist(ones({1, 2})).numel(), 0);
  EXPECT_EQ(cdist(ones({0, 2}), ones({3, 2})).shape().str(), "(0, 3)");
  expect_values(cdist(ones({2, 0}), ones({1, 0})), {2, 1}, {0, 0});
  // Rows that are close to each other, far from 0.
  const Tensor far = tensor<double>({{1e8, 1e8}}), near = far + 1e-3;
  EXPECT_NEAR(cdist(far, near).item(), std::sqrt(2) * 1e-3, 1e-8);
  const Tensor t = trainable(a);
  expect_values(gradients(sum(cdist(t, stop_gradient(t))), {t})[0], {2, 2}, {-0.6, -0.8, 0.6, 0.8},
                1e-15);
  check_derivatives([](In t) { return cdist(t[0], t[1], 3); },
                    {numbers({3, 2}), numbers({2, 2}, 1)});
  expect_fails([&] { cdist(a, ones({3, 3})); }, "do not fit");
  expect_fails([&] { cdist(a, b, -1); }, "p is -1");
}

// ---- einsum ----

// By loops over all labels.
Tensor by_loops(const std::vector<std::string>& inputs, const std::string& output,
                const std::vector<Tensor>& operands) {
  std::map<char, int64_t> sizes;
  for (size_t i = 0; i < inputs.size(); ++i) {
    for (size_t k = 0; k < inputs[i].size(); ++k) {
      int64_t& size = sizes.emplace(inputs[i][k], 1).first->second;
      size = std::max(size, operands[i].shape()[static_cast<int>(k)]);
    }
  }
  std::vector<std::vector<double>> values;
  for (const Tensor& x : operands) values.push_back(x.to_vector<double>());
  Shape shape;
  for (char c : output) shape.push_back(sizes[c]);
  std::vector<double> out(static_cast<size_t>(shape.numel()));
  std::map<char, int64_t> at;
  const auto position = [&](const std::string& labels, const Shape& of) {
    int64_t p = 0;
    for (size_t k = 0; k < labels.size(); ++k) {
      const int64_t size = of[static_cast<int>(k)];
      p = p * size + (size == 1 ? 0 : at[labels[k]]);
    }
    return static_cast<size_t>(p);
  };
  const std::function<void(std::map<char, int64_t>::iterator)> loop = [&](auto label) {
    if (label == sizes.end()) {
      double product = 1;
      for (size_t i = 0; i < inputs.size(); ++i)
        product *= values[i][position(inputs[i], operands[i].shape())];
      out[position(output, shape)] += product;
      return;
    }
    const char name = label->first;
    const int64_t size = label->second;
    ++label;
    for (at[name] = 0; at[name] < size; ++at[name]) loop(label);
  };
  loop(sizes.begin());
  return from_vector(out, shape);
}

TEST(Einsum, IsTheSumOverAllLabels) {
  std::mt19937 random(7);
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int round = 0; round < 150; ++round) {
    std::map<char, int64_t> sizes;
    for (char c = 'a'; c <= 'e'; ++c) sizes[c] = 1 + pick(4);
    std::vector<std::string> inputs(1 + pick(4));
    std::vector<Tensor> operands;
    std::string used, equation;
    for (std::string& labels : inputs) {
      Shape shape;
      for (int k = pick(4); k > 0; --k) {
        const char c = static_cast<char>('a' + pick(5));
        const bool again = labels.find(c) != std::string::npos;
        labels += c;
        if (used.find(c) == std::string::npos) used += c;
        // Sizes of 1 broadcast, but for an axis that is there twice.
        const size_t before = labels.find(c);
        shape.push_back(again ? shape[static_cast<int>(before)] : pick(5) ? sizes[c] : 1);
      }
      operands.push_back(numbers(shape, round + operands.size()));
      equation += (equation.empty() && &labels == &inputs[0] ? "" : ",") + labels;
    }
    std::string output;
    for (char c : used) {
      if (pick(2)) output.insert(output.begin() + pick(static_cast<int>(output.size()) + 1), c);
    }
    SCOPED_TRACE(equation + "->" + output);
    expect_same(einsum(equation + "->" + output, operands), by_loops(inputs, output, operands),
                1e-12);
  }
}

TEST(Einsum, Forms) {
  const Tensor a = numbers({2, 3}), b = numbers({3, 4}), s = numbers({3, 3});
  expect_same(einsum("ij,jk", {a, b}), matmul(a, b), 1e-15);
  expect_same(einsum(" i j , j k -> k i ", {a, b}), transpose(matmul(a, b)), 1e-15);
  expect_same(einsum("ba", {a}), transpose(a));
  expect_same(einsum("Ab", {a}), a);  // upper case first
  expect_same(einsum("bA", {a}), transpose(a));
  expect_same(einsum("ii", {s}), trace(s), 1e-15);
  expect_same(einsum("ii->i", {s}), diagonal(s));
  expect_same(einsum("...", {a}), a);
  expect_same(einsum("...j->...", {a}), sum(a, {1}), 1e-15);
  expect_same(einsum("...j->j", {a}), sum(a, {0}), 1e-15);  // what is not asked for is summed
  expect_same(einsum("i...->...i", {a}), transpose(a));
  expect_same(einsum(",ij", {tensor(2.0), a}), 2 * a);
  expect_same(einsum("->", {tensor(2.0)}), tensor(2.0));
  expect_same(einsum("ij->", {a}), sum(a), 1e-15);
  const Tensor batch = numbers({5, 1, 2, 3}), other = numbers({4, 3, 2});
  expect_same(einsum("...ij,...jk", {batch, other}), matmul(batch, other), 1e-15);
  EXPECT_EQ(einsum("ij,jk", {tensor<int>({{1, 2}}), tensor<int>({{3}, {4}})}).dtype(), kI32);
  EXPECT_EQ(einsum("i->", {tensor<int>({1, 2})}).dtype(), kI32);
  EXPECT_EQ(einsum("ij,jk", {zeros({2, 0}), zeros({0, 3})}).shape().str(), "(2, 3)");
  EXPECT_EQ(einsum("ij,jk->ik", {cast(a, kBF16), cast(b, kBF16)}).dtype(), kBF16);
}

TEST(Einsum, ChainsTakeTheShortWay) {
  // From the left 2 x 300 x 300 and so on: from the right it would be 300 x 300 x 300.
  const Tensor v = numbers({2, 300}), m = numbers({300, 300}, 1) / 10;
  const Tensor want = matmul(matmul(matmul(v, m), m), m);
  expect_same(einsum("ab,bc,cd,de->ae", {v, m, m, m}) / max(abs(want)), want / max(abs(want)),
              1e-12);
  std::vector<Tensor> many(9, numbers({3, 3}));
  const Tensor power = matrix_power(many[0], 9);
  expect_same(einsum("ab,bc,cd,de,ef,fg,gh,hi,ij->aj", many), power, 1e-12);
}

TEST(Einsum, Derivatives) {
  check_derivatives([](In t) { return einsum("bn,anm,bm->ba", t); },
                    {numbers({2, 3}), numbers({2, 3, 2}, 1), numbers({2, 2}, 2)});
  check_derivatives([](In t) { return einsum("iij,j...->i...", t); },
                    {numbers({2, 2, 3}), numbers({3, 2}, 1)});
  const TensorFunction f = [](In t) { return einsum("ij,jk->ki", t); };
  const Tensor a = numbers({4, 2, 3}), b = numbers({3, 2});
  std::vector<Tensor> each;
  for (int64_t i = 0; i < 4; ++i) each.push_back(f({index(a, {i}), b}));
  expect_same(vmap(f, {0, -1})({a, b}), stack(each), 1e-14);
}

TEST(Einsum, SaysWhatIsWrong) {
  const Tensor a = ones({2, 3}), b = ones({3, 4});
  const std::vector<std::array<std::string, 2>> bad{
      {"ij", "1 operands are named, 2 are given"},
      {"ij,jk,kl", "3 operands are named"},
      {"i1,jk", "'1' is no letter"},
      {"ij,jk->ik->i", "more than one arrow"},
      {"ij,jk-ik", "more than one arrow, or a part of one"},
      {"i.j,jk", "a dot that is not part of an ellipsis"},
      {"...i...,jk", "two ellipses"},
      {"ijk,jk", "\"ijk\" does not fit the shape (2, 3)"},
      {"i,jk", "\"i\" does not fit the shape (2, 3)"},
      {"ij,kj", "'j' has sizes 3 and 4"},
      {"ij,jk->il", "'l' is in no operand"},
      {"ij,jk->ii", "the result has 'i' twice"},
      {"ii,jk", "'i' has sizes 2 and 3"},
      {"ij,jk->i?", "'?' is no letter"}};
  for (const auto& [equation, why] : bad) {
    const std::string message = message_of([&] { einsum(equation, {a, b}); });
    EXPECT_NE(message.find("einsum: \"" + equation), std::string::npos) << message;
    EXPECT_NE(message.find(why), std::string::npos) << message;
  }
  expect_fails([] { einsum("", {}); }, "0 are given");
  expect_fails([&] { einsum("ij,jk", {a, {}}); }, "einsum");
  expect_fails([] { einsum("ii->i", {ones({1, 3})}); }, "in one operand");
  expect_fails(
      [] {
        einsum("abcde,fghij->abcdefghij", {ones({1, 1, 1, 1, 1}), ones({1, 1, 1, 1, 1})});
      },
      "the result has 10 axes");
}

}  // namespace
}  // namespace glia::test
