// Modules as functions of their parameters: substitution, ensembles, per-sample gradients.
#include "glia/nn/functional.h"

#include <gtest/gtest.h>

#include <thread>

#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "tests/support/values.h"

namespace glia {
namespace {

using namespace test;

struct Net : nn::Module {
  nn::Conv2d conv{1, 3, {.kernel = 3}};
  nn::Linear out{3 * 4 * 4, 2};
  Tensor operator()(const Tensor& x) const { return out(flatten(relu(conv(x)), 1)); }
  GLIA_FIELDS(conv, out)
};

void expect_equal(const Tensor& a, const Tensor& b, double tolerance = 1e-6) {
  ASSERT_EQ(a.shape(), b.shape());
  EXPECT_LE(max(abs(a - b)).item(), tolerance);
}

TEST(FunctionalCall, ReadsOtherValuesWithinAndItsOwnAfterwards) {
  const Net net, other;
  const Tensor x = randn({5, 6, 6, 1});
  const Tensor own = net(x), others = other(x);
  const std::vector<Tensor> values = other.all_parameters().tensors();
  expect_equal(nn::functional_call(net, values, [&] { return net(x); }), others, 0);
  expect_equal(net(x), own, 0);
  // Another thread sees nothing of it.
  nn::functional_call(net, values, [&] {
    std::thread([&] { expect_equal(net(x), own, 0); }).join();
    return 0;
  });
  EXPECT_THROW(nn::functional_call(net, values, [&]() -> int { throw 1; }), int);
  expect_equal(net(x), own, 0);
}

TEST(FunctionalCall, GradientsFlowThroughTheValues) {
  const nn::Linear layer(3, 2);
  const Tensor w = trainable(randn({2, 3})), b = trainable(randn({2})), x = randn({4, 3});
  // One step of descent within, its effect differentiated from outside (Finn et al. 2017).
  const auto loss = [&](const Tensor& weight, const Tensor& bias) {
    return mean(square(nn::functional_call(layer, {weight, bias}, [&] { return layer(x); }) - 1));
  };
  const auto adapted = [&](const std::vector<Tensor>& p) {
    const std::vector<Tensor> g = gradients(loss(p[0], p[1]), {p[0], p[1]});
    return loss(p[0] - 0.1 * g[0], p[1] - 0.1 * g[1]);
  };
  const std::vector<Tensor> g = gradients(adapted({w, b}), {w, b});
  const auto by_hand = [&](const std::vector<Tensor>& p) {
    const auto plain = [&](const Tensor& weight, const Tensor& bias) {
      return mean(square(linear(x, weight, bias) - 1));
    };
    const std::vector<Tensor> d = gradients(plain(p[0], p[1]), {p[0], p[1]});
    return plain(p[0] - 0.1 * d[0], p[1] - 0.1 * d[1]);
  };
  const std::vector<Tensor> want = gradients(by_hand({w, b}), {w, b});
  expect_equal(g[0], want[0]);
  expect_equal(g[1], want[1]);
}

TEST(FunctionalCall, WhatIsSetWithinIsGone) {
  const nn::Linear layer(2, 2);
  const Tensor before = layer.weight.tensor();
  nn::functional_call(layer, {zeros({2, 2}), zeros({2})}, [&] {
    layer.weight.set(ones({2, 2}));
    EXPECT_EQ(sum(layer.weight).item(), 4);
    return 0;
  });
  expect_equal(layer.weight, before, 0);
}

TEST(FunctionalCall, RefusesOtherShapes) {
  const nn::Linear layer(2, 3);
  EXPECT_THROW(nn::functional_call(layer, {zeros({3, 2})}, [] { return 0; }), ShapeError);
  EXPECT_THROW(nn::functional_call(layer, {zeros({2, 3}), zeros({3})}, [] { return 0; }),
               ShapeError);
  EXPECT_THROW(nn::functional_call(layer, {Tensor(), zeros({3})}, [] { return 0; }), ShapeError);
}

TEST(Ensemble, ModelsRunAsOne) {
  const std::vector<Net> nets(4);
  const Tensor x = randn({7, 6, 6, 1});
  std::vector<Tensor> in = nn::stack_parameters(nets);
  in.push_back(x);
  const Net form;
  const TensorFunction one = [&](const std::vector<Tensor>& t) {
    return nn::functional_call(form, {t.begin(), t.end() - 1}, [&] { return form(t.back()); });
  };
  const Tensor all = vmap(one, {0, 0, 0, 0, -1})(in);
  for (int i = 0; i < 4; ++i) expect_equal(index(all, {i}), nets[i](x), 1e-5);
  EXPECT_THROW(nn::stack_parameters(std::vector<Net>()), ShapeError);
}

TEST(PerSampleGradients, AreThoseOfEachExampleAlone) {
  const Net net;
  const Tensor x = randn({6, 6, 6, 1}), y = randint(0, 2, {6});
  const auto loss = [&](const std::vector<Tensor>& e) {
    return cross_entropy(net(unsqueeze(e[0], 0)), unsqueeze(e[1], 0));
  };
  const std::vector<Tensor> all = nn::per_sample_gradients(net, loss, {x, y});
  ASSERT_EQ(all.size(), net.parameters().size());
  for (int i = 0; i < 6; ++i) {
    const std::vector<Tensor> one =
        gradients(loss({index(x, {i}), index(y, {i})}), net.parameters());
    for (size_t p = 0; p < one.size(); ++p) expect_equal(index(all[p], {i}), one[p], 1e-5);
  }
}

TEST(VmapRandomness, DifferentSameOrAnError) {
  manual_seed(3);
  const TensorFunction draws = [](const std::vector<Tensor>& in) { return in[0] + rand({5}); };
  const Tensor x = zeros({4, 5});
  const Tensor different = vmap(draws)({x}), same = vmap(draws, {}, Randomness::kSame)({x});
  expect_equal(index(same, {0}), index(same, {3}), 0);
  EXPECT_GT(max(abs(index(different, {0}) - index(different, {3}))).item(), 0);
  EXPECT_THROW(vmap(draws, {}, Randomness::kError)({x}), Error);
  const TensorFunction drops = [](const std::vector<Tensor>& in) { return dropout(in[0], 0.5); };
  const Tensor masks = vmap(drops, {}, Randomness::kSame)({ones({6, 100})});
  expect_equal(index(masks, {0}), index(masks, {5}), 0);
}

}  // namespace
}  // namespace glia
