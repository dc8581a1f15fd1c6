// Networks over trees, against a walk over one tree at a time.
#include <gtest/gtest.h>

#include "glia/autodiff.h"
#include "glia/nn/tree.h"
#include "glia/ops.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

using nn::Forest;
using nn::Tree;

// (0 (1 (2) (3)) (4)), a leaf alone, and a chain with the root last.
std::vector<Tree> trees() { return {{{-1, 0, 1, 1, 0}}, {{-1}}, {{1, 2, -1}}}; }
std::vector<Tree> binary() { return {{{-1, 0, 1, 1, 0}}, {{-1}}, {{2, 2, 4, 4, -1}}}; }

std::vector<std::vector<int64_t>> children_of(const std::vector<Tree>& all) {
  std::vector<std::vector<int64_t>> out;
  for (const Tree& tree : all) {
    const auto first = static_cast<int64_t>(out.size());
    out.resize(out.size() + tree.parents.size());
    for (size_t i = 0; i < tree.parents.size(); ++i)
      if (tree.parents[i] >= 0)
        out[first + tree.parents[i]].push_back(first + static_cast<int64_t>(i));
  }
  return out;
}

TEST(Forest, HasLevelsByHeight) {
  const Forest f(trees());
  ASSERT_EQ(f.levels().size(), 3u);
  EXPECT_EQ(f.levels()[0].nodes, (std::vector<int64_t>{2, 3, 4, 5, 6}));
  EXPECT_EQ(f.levels()[1].nodes, (std::vector<int64_t>{1, 7}));
  EXPECT_EQ(f.levels()[2].children, (std::vector<int64_t>{1, 4, 7}));
  EXPECT_EQ(f.levels()[2].of, (std::vector<int64_t>{0, 0, 1}));
  EXPECT_EQ(f.levels()[2].place, (std::vector<int64_t>{0, 1, 0}));
  expect_values(f.roots(), {3}, {0, 5, 8});
}

TEST(Forest, RefusesWhatIsNoTree) {
  const auto said = [](const Tree& t) {
    return message_of<ValueError>([&] { Forest({{{-1}}, t}); });
  };
  EXPECT_NE(said({{-1, -1}}).find("tree 1: has several roots"), std::string::npos);
  EXPECT_NE(said({{}}).find("has no root"), std::string::npos);
  EXPECT_NE(said({{-1, 2, 1}}).find("has a circle"), std::string::npos);
  EXPECT_NE(said({{-1, 1}}).find("has a circle"), std::string::npos);
  EXPECT_NE(said({{-1, 9}}).find("the parent 9 is no node"), std::string::npos);
  EXPECT_NE(said({{-1, INT64_MIN}}).find("is no node"), std::string::npos);
}

struct State {
  Tensor h, c;
};

TEST(TreeLSTM, ChildSumIsItsFormula) {
  nn::ChildSumTreeLSTM net(3, 4);
  net.to(kF64);
  const Tensor x = numbers({9, 3});
  const auto children = children_of(trees());
  const std::function<State(int64_t)> walk = [&](int64_t i) -> State {
    const auto z = split(net.w(index(x, {i})), 4, 0);
    Tensor sums = zeros({4}, kF64), kept = zeros({4}, kF64);
    for (const int64_t k : children[i]) {
      const State s = walk(k);
      sums = sums + s.h;
      kept = kept + sigmoid(z[3] + linear(s.h, net.u_f)) * s.c;
    }
    const auto u = split(linear(sums, net.u_iou), 4, 0);
    const Tensor c = sigmoid(z[0] + u[0]) * tanh(z[2] + u[2]) + kept;
    return {sigmoid(z[1] + u[1]) * tanh(c), c};
  };
  const nn::TreeResult got = net(x, Forest(trees()));
  for (int64_t i = 0; i < 9; ++i) {
    const State want = walk(i);
    expect_same(index(got.h, {i}), want.h, 1e-13);
    expect_same(index(got.c, {i}), want.c, 1e-13);
  }
}

TEST(TreeLSTM, NaryIsItsFormula) {
  nn::NaryTreeLSTM net(2, 3, 4);
  net.to(kF64);
  const Tensor x = numbers({9, 3});
  const auto children = children_of(trees());
  const std::function<State(int64_t)> walk = [&](int64_t i) -> State {
    const auto z = split(net.w(index(x, {i})), 4, 0);
    std::vector<State> s(2, {zeros({4}, kF64), zeros({4}, kF64)});
    for (size_t k = 0; k < children[i].size(); ++k) s[k] = walk(children[i][k]);
    const Tensor both = concat({s[0].h, s[1].h});
    const auto u = split(linear(both, net.u_iou), 4, 0), f = split(linear(both, net.u_f), 4, 0);
    Tensor c = sigmoid(z[0] + u[0]) * tanh(z[2] + u[2]);
    for (int k = 0; k < 2; ++k) c = c + sigmoid(z[3] + f[k]) * s[k].c;
    return {sigmoid(z[1] + u[1]) * tanh(c), c};
  };
  const nn::TreeResult got = net(x, Forest(trees()));
  for (int64_t i = 0; i < 9; ++i) expect_same(index(got.h, {i}), walk(i).h, 1e-13);
  EXPECT_NE(message_of<ShapeError>([&] {
              nn::NaryTreeLSTM(1, 3, 4)(cast(x, kF32), Forest(trees()));
            }).find("a node has 2 children, not 1"),
            std::string::npos);
}

TEST(RecursiveNet, IsItsFormula) {
  for (const bool with_tensor : {false, true}) {
    nn::RecursiveNet net(3, {.tensor = with_tensor});
    net.to(kF64);
    const Tensor x = numbers({11, 3});
    const auto children = children_of(binary());
    const std::function<Tensor(int64_t)> walk = [&](int64_t i) -> Tensor {
      if (children[i].empty()) return index(x, {i});
      const Tensor both = concat({walk(children[i][0]), walk(children[i][1])});
      Tensor sums = net.w(both);
      if (with_tensor) {
        std::vector<Tensor> products;
        for (int64_t k = 0; k < 3; ++k)
          products.push_back(sum(both * matmul(index(net.tensor, {k}), both)));
        sums = sums + stack(products);
      }
      return tanh(sums);
    };
    const Tensor got = net(x, Forest(binary())).h;
    for (int64_t i = 0; i < 11; ++i) expect_same(index(got, {i}), walk(i), 1e-13);
    EXPECT_THROW(net(numbers({9, 3}), Forest(trees())), ShapeError);
  }
}

TEST(TreeLSTM, Derivatives) {
  const Forest forest(binary());
  nn::ChildSumTreeLSTM sums(2, 3);
  nn::NaryTreeLSTM places(2, 2, 3);
  nn::RecursiveNet net(2);
  sums.to(kF64), places.to(kF64), net.to(kF64);
  const std::vector<Tensor> x{numbers({11, 2})};
  EXPECT_EQ(gradcheck([&](const auto& t) { return sums(t[0], forest).h; }, x), "");
  EXPECT_EQ(gradcheck([&](const auto& t) { return places(t[0], forest).h; }, x), "");
  EXPECT_EQ(gradcheck([&](const auto& t) { return net(t[0], forest).h; }, x), "");
  EXPECT_EQ(gradgradcheck([&](const auto& t) { return sums(t[0], forest).h; }, x), "");
}

TEST(TreeLSTM, OfNoTreesIsEmpty) {
  const nn::ChildSumTreeLSTM net(2, 3);
  EXPECT_EQ(net(zeros({0, 2}), Forest({})).h.shape().str(), "(0, 3)");
  EXPECT_THROW(net(zeros({1, 2}), Forest({})), ShapeError);
}

}  // namespace
}  // namespace glia::test
