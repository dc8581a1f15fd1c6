// Norms as layers, weights that are made of others, and losses as layers.
#include "glia/nn/normalization.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>
#include <vector>

#include "glia/autodiff.h"
#include "glia/nn/losses.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "tests/support/modules.h"
#include "tests/support/values.h"

namespace glia::modules {
namespace {

using test::expect_same;

Tensor some(const Shape& shape, double phase = 0) {
  return cast(test::numbers(shape, phase), kF32);
}

// ---- Norms ----

TEST(Norms, LayersAreTheFunctions) {
  const Tensor x = some({3, 4, 5, 6}) * 2 + 1;
  nn::GroupNorm group(3, 6);
  EXPECT_EQ(keys(group.state_dict()), (Names{"weight", "bias"}));
  group.weight = some({6}, 1);
  group.bias = some({6}, 2);
  expect_same(group(x), group_norm(x, 3, group.weight, group.bias));
  EXPECT_TRUE(nn::GroupNorm(2, 6, {.affine = false}).state_dict().empty());
  expect_text(message_of<ShapeError>([] { nn::GroupNorm(4, 6); }),
              "6 channels have no 4 equal groups");
  expect_text(message_of<ShapeError>([&] {
                group(some({3, 5}));
              }),
              "GroupNorm: needs (N, ..., 6), got (3, 5)");
  EXPECT_THROW(nn::GroupNorm(0, 6), ShapeError);
  EXPECT_THROW(nn::GroupNorm(-3, -6), ShapeError);

  nn::RMSNorm rms({5, 6}, {.eps = 0.1});
  rms.weight = some({5, 6}, 1);
  expect_same(rms(x), rms_norm(x, rms.weight, 2, 0.1));
  expect_same(nn::RMSNorm(6)(x), rms_norm(x));
  EXPECT_TRUE(nn::RMSNorm(6, {.elementwise_affine = false}).state_dict().empty());
  EXPECT_THROW(nn::RMSNorm(5)(x), ShapeError);
  EXPECT_THROW(nn::RMSNorm(0), ShapeError);
  EXPECT_THROW(nn::RMSNorm{Shape()}, ShapeError);

  expect_same(nn::LocalResponseNorm(3, {.alpha = 0.1})(x),
              local_response_norm(x, 3, {.alpha = 0.1}));
  EXPECT_THROW(nn::LocalResponseNorm(0), ShapeError);
  const nn::BatchNorm3d volumes(6);
  expect_same(volumes(reshape(x, {3, 2, 2, 5, 6})),
              reshape(batch_norm(x, {}, {}).out, {3, 2, 2, 5, 6}), 1e-6);
}

TEST(Norms, InstanceNormMayTrack) {
  const Tensor x = some({4, 7, 3}) * 2 + 1;
  nn::InstanceNorm1d plain(3);
  EXPECT_TRUE(plain.state_dict().empty());
  expect_same(plain(x), instance_norm(x));
  plain.eval();
  expect_same(plain(x), instance_norm(x));

  nn::InstanceNorm1d tracking(3, {.affine = true, .track_running_stats = true});
  EXPECT_EQ(keys(tracking.state_dict()),
            (Names{"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}));
  expect_same(tracking(x), instance_norm(x), 1e-6);
  expect_same(tracking.running_mean, 0.1 * mean(x, {0, 1}), 1e-6);
  expect_same(tracking.running_var, 0.9 + 0.1 * mean(var(x, {1}), {0}), 1e-6);
  tracking.eval();
  expect_same(tracking(x), (x - tracking.running_mean) / sqrt(tracking.running_var + 1e-5), 1e-5);
  EXPECT_EQ(tracking(cast(x, kF64)).dtype(), kF64);
  EXPECT_EQ(gradients(sum(tracking(x)), tracking.parameters()).size(), 2u);

  nn::InstanceNorm2d images(3);
  expect_text(message_of<ShapeError>([&] {
                images(some({2, 1, 1, 3}));
              }),
              "more than one position");
  images.eval();
  expect_same(images(some({2, 1, 1, 3})), zeros({2, 1, 1, 3}));
  EXPECT_THROW(images(some({2, 3})), ShapeError);
  EXPECT_THROW(nn::InstanceNorm3d(0), ShapeError);
}

TEST(Norms, PartsOfABatchAreNormalisedAsOne) {
  nn::SyncBatchNorm parts(4), whole(4);
  for (nn::SyncBatchNorm* norm : {&parts, &whole}) {
    norm->weight = some({4}, 1);
    norm->bias = some({4}, 2);
  }
  const Tensor x = some({6, 5, 4}), g = some({6, 5, 4}, 3);
  const Tensor a = slice(x, 0, {0, 2}), b = slice(x, 0, {2, 6});
  const auto together = [&](const std::vector<Tensor>& outs) { return concat(outs); };
  const Tensor y = whole(x), z = together(parts({a, b}));
  expect_same(z, y);
  expect_same(parts.running_mean, whole.running_mean);
  expect_same(parts.running_var, whole.running_var);
  EXPECT_EQ(parts.num_batches_tracked.tensor().item<int64_t>(), 1);
  const auto of_parts = gradients(sum(together(parts({a, b})) * g), parts.parameters());
  const auto of_whole = gradients(sum(whole(x) * g), whole.parameters());
  for (int i : {0, 1}) expect_same(of_parts[i], of_whole[i], 1e-6);
  EXPECT_EQ(keys(parts.state_dict()), keys(nn::BatchNorm2d(4).state_dict()));
  // The parts may have positions of their own.
  EXPECT_EQ(parts({a, some({3, 2, 2, 4})})[1].shape(), (Shape{3, 2, 2, 4}));
  EXPECT_THROW(parts(std::vector<Tensor>{}), ShapeError);
  EXPECT_THROW(parts({a, some({2, 5})}), ShapeError);
  EXPECT_THROW(parts({some({4})}), ShapeError);
}

// ---- Weights that are made of others ----

TEST(WeightNorm, BeginsAsTheLayerThatItWraps) {
  manual_seed(1);
  const nn::Linear linear(4, 3);
  const nn::Conv2d conv(2, 3, {.kernel = {2, 3}});
  const Tensor x = some({5, 4}), images = some({2, 5, 6, 2});
  const nn::WeightNorm by_rows(linear);
  const nn::WeightNorm as_one(linear, {.dim = {}});
  const nn::WeightNorm of_conv(conv);
  expect_same(by_rows(x), linear(x), 1e-6);
  expect_same(as_one(x), linear(x), 1e-6);
  expect_same(of_conv(images), conv(images), 1e-6);
  expect_same(of_conv.weight(), conv.weight, 1e-6);
  const Names names{"bias", "parametrizations.weight.original0",
                    "parametrizations.weight.original1"};
  EXPECT_EQ(keys(by_rows.state_dict()), names);
  EXPECT_EQ(keys(of_conv.state_dict()), names);
  EXPECT_EQ(of_conv.state_dict()[1].second.shape(), (Shape{3, 1, 1, 1}));
  EXPECT_EQ(of_conv.state_dict()[2].second.shape(), (Shape{3, 2, 2, 3}));  // PyTorch's
  EXPECT_EQ(as_one.state_dict()[1].second.shape(), Shape());
  expect_same(by_rows.removed()(x), by_rows(x), 1e-6);
  EXPECT_EQ(keys(by_rows.removed().state_dict()), (Names{"weight", "bias"}));
  EXPECT_THROW(nn::WeightNorm(linear, {.dim = 2}), ShapeError);
  EXPECT_THROW(nn::WeightNorm(linear, {.dim = -3}), ShapeError);
}

TEST(WeightNorm, HasTheGradientOfItsParts) {
  nn::WeightNorm layer(nn::Linear(4, 3));
  layer.to(kF64);
  const Tensor x = test::numbers({5, 4});
  const Tensor g = test::numbers({3, 1}, 1) + 2, v = test::numbers({3, 4}, 2);
  layer.original0 = g;
  layer.original1 = v;
  const auto got = gradients(sum(square(layer(x))), layer.parameters());
  const Tensor g2 = trainable(g), v2 = trainable(v), b2 = trainable(layer.layer.bias);
  const Tensor w = v2 * g2 / sqrt(sum(square(v2), {1}, true));
  const auto want = gradients(sum(square(linear(x, w, b2))), {b2, g2, v2});
  ASSERT_EQ(got.size(), 3u);
  for (int i = 0; i < 3; ++i) expect_same(got[i], want[i], 1e-12);
}

TEST(WeightNorm, CopiesMovesAndThreads) {
  nn::Sequential net(nn::WeightNorm(nn::Linear(4, 8)), relu, nn::WeightNorm(nn::Linear(8, 1)));
  const Tensor x = some({6, 4});
  const nn::Sequential copy = net;
  const Tensor before = net(x);
  expect_same(copy(x), before);
  optim::SGD optimizer(net.parameters(), {.lr = 0.1});
  const double first = mean(square(net(x) - 1)).item();
  for (int i = 0; i < 30; ++i) optimizer.step([&] { return mean(square(net(x) - 1)); });
  EXPECT_LT(mean(square(net(x) - 1)).item(), first / 2);
  expect_same(copy(x), before);
  nn::Sequential loaded(nn::WeightNorm(nn::Linear(4, 8)), relu, nn::WeightNorm(nn::Linear(8, 1)));
  loaded.load_state_dict(net.state_dict());
  expect_same(loaded(x), net(x));
  const nn::Sequential moved = std::move(loaded);
  expect_same(moved(x), net(x));
  // Each thread reads the weight that it has computed.
  const std::vector<double> want = numbers(net(x));
  std::vector<int> equal(4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      equal[t] = 1;
      for (int i = 0; i < 50; ++i) equal[t] &= numbers(net(x)) == want;
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(equal, std::vector<int>(4, 1));
  // In a vmap, and where a call throws, nothing is left behind.
  const auto each = vmap([&](const std::vector<Tensor>& in) { return net(in[0]); })({x});
  expect_same(each, net(x), 1e-6);
  EXPECT_THROW(net(some({6, 5})), ShapeError);
  expect_same(net(x), from_vector(want, {6, 1}), 1e-6);
}

TEST(SpectralNorm, DividesByTheLargestSingularValue) {
  manual_seed(3);
  nn::SpectralNorm layer(nn::Linear(2, 2, {.bias = false}), {.n_power_iterations = 50});
  EXPECT_EQ(keys(layer.state_dict()),
            (Names{"parametrizations.weight.original", "parametrizations.weight.0._u",
                   "parametrizations.weight.0._v"}));
  layer.original = tensor({{3.f, 0.f}, {0.f, -1.f}});
  expect_near(layer(tensor({{1.f, 1.f}})), {1, -1.0 / 3}, 1e-5);
  layer.eval();
  expect_near(layer(tensor({{1.f, 1.f}})), {1, -1.0 / 3}, 1e-5);
  // A step moves the vectors in training mode alone.
  layer.original = tensor({{1.f, 0.5f}, {0.f, 5.f}});
  const Tensor u = layer.u;
  expect_near(layer(tensor({{1.f, 1.f}})), {1.5, 5}, 1e-4);
  expect_same(layer.u, u);
  layer.train();
  const double largest = std::sqrt(13.125 + std::sqrt(12.125 * 12.125 + 0.25));
  expect_near(layer(tensor({{1.f, 1.f}})), {1.5 / largest, 5 / largest}, 1e-5);
}

TEST(SpectralNorm, TrainsAndHasItsGradient) {
  manual_seed(5);
  nn::SpectralNorm conv(nn::Conv2d(2, 3, {.kernel = 3}));
  EXPECT_EQ(conv.u.shape(), (Shape{3}));
  EXPECT_EQ(conv.v.shape(), (Shape{18}));
  conv.eval();
  const Tensor x = some({2, 5, 5, 2});
  // d of W / sigma with u and v held.
  const auto got = gradients(sum(square(conv(x))), conv.parameters());
  const Tensor w = trainable(conv.original), b = trainable(conv.layer.bias);
  const Tensor sigma = sum(conv.u * matmul(reshape(w, {3, 18}), conv.v));
  const Tensor y = conv2d(x, permute(w / sigma, {0, 2, 3, 1}), b);
  const auto want = gradients(sum(square(y)), {b, w});
  for (int i = 0; i < 2; ++i) expect_same(got[i], want[i], 1e-5);
  conv.train();
  optim::SGD optimizer(conv.parameters(), {.lr = 0.1});
  const double first = mean(square(conv(x) - 0.3)).item();
  for (int i = 0; i < 50; ++i) optimizer.step([&] { return mean(square(conv(x) - 0.3)); });
  EXPECT_LT(mean(square(conv(x) - 0.3)).item(), 0.7 * first);
  EXPECT_THROW(nn::SpectralNorm(nn::Linear(2, 2), {.n_power_iterations = 0}), ShapeError);
  EXPECT_THROW(nn::SpectralNorm(nn::Linear(2, 2), {.eps = 0}), ShapeError);
  EXPECT_THROW(nn::SpectralNorm(nn::Linear(2, 2), {.dim = 2}), ShapeError);
}

// ---- Losses ----

TEST(LossLayers, AreTheFunctions) {
  const Tensor x = test::numbers({4, 5}), y = test::numbers({4, 5}, 1),
               z = test::numbers({4, 5}, 2);
  const Tensor p = y * 0.4 + 0.5, signs = where(z > 0, 1.0, -1.0);
  const Tensor classes = tensor<int64_t>({3, 0, 4, 1});
  constexpr Reduction kSum = Reduction::kSum;
  expect_same(nn::HuberLoss({.delta = 0.5})(x, y), huber_loss(x, y, 0.5));
  expect_same(nn::BCELoss({.reduction = kSum})(p, p),
              binary_cross_entropy(p, p, {.reduction = kSum}));
  expect_same(nn::PoissonNLLLoss({.full = true})(x, y), poisson_nll_loss(x, y, {.full = true}));
  expect_same(nn::GaussianNLLLoss()(x, y, p), gaussian_nll_loss(x, y, p));
  expect_same(nn::KLDivLoss({.batchmean = true})(x, p), kl_div(x, p, {.batchmean = true}));
  expect_same(nn::HingeEmbeddingLoss()(x, signs), hinge_embedding_loss(x, signs, 1));
  expect_same(nn::MarginRankingLoss({.margin = 1})(x, y, signs),
              margin_ranking_loss(x, y, signs, 1));
  const Tensor one = index(signs, {Ellipsis, 0});
  expect_same(nn::CosineEmbeddingLoss()(x, y, one), cosine_embedding_loss(x, y, one));
  expect_same(nn::MultiMarginLoss({.p = 2})(x, classes), multi_margin_loss(x, classes, {.p = 2}));
  const Tensor lists = full({4, 5}, 1, kI64);
  expect_same(nn::MultiLabelMarginLoss()(x, lists), multilabel_margin_loss(x, lists));
  expect_same(nn::MultiLabelSoftMarginLoss()(x, p), multilabel_soft_margin_loss(x, p));
  expect_same(nn::SoftMarginLoss({kSum})(x, signs), soft_margin_loss(x, signs, kSum));
  expect_same(nn::TripletMarginLoss({.swap = true})(x, y, z),
              triplet_margin_loss(x, y, z, {.swap = true}));
  expect_same(nn::TripletMarginWithDistanceLoss()(x, y, z), triplet_margin_loss(x, y, z), 1e-14);
  const Tensor logs = log_softmax(test::numbers({4, 6, 3})), labels = ones({4, 2}, kI64);
  const Tensor frames = full({4}, 6, kI64), counts = full({4}, 2, kI64);
  expect_same(nn::CTCLoss({.reduction = kSum})(logs, labels, frames, counts),
              ctc_loss(logs, labels, frames, counts, {.reduction = kSum}));
}

TEST(LossLayers, AdaptiveSoftmaxIsASoftmax) {
  manual_seed(4);
  nn::AdaptiveLogSoftmaxWithLoss loss(16, 20, {4, 9}, {.div_value = 2, .head_bias = true});
  EXPECT_EQ(keys(loss.state_dict()),
            (Names{"head.weight", "head.bias", "tail.0.0.weight", "tail.0.1.weight",
                   "tail.1.0.weight", "tail.1.1.weight"}));
  EXPECT_EQ(loss.tail[1][0].weight.shape(), (Shape{4, 16}));
  const Tensor x = some({7, 16}) * 3, target = tensor<int64_t>({0, 3, 4, 8, 9, 19, 5});
  const Tensor all = loss.log_prob(x);
  expect_same(sum(exp(all), {1}), ones({7}), 1e-5);
  const auto [output, mean_loss] = loss(x, target);
  expect_same(output, squeeze(gather(all, unsqueeze(target, 1), 1), 1), 1e-5);
  EXPECT_NEAR(mean_loss.item(), -mean(output).item(), 1e-6);
  expect_same(loss.predict(x), argmax(all, -1));
  // Gradients reach every weight once for each row, however often rows are repeated to round up.
  const auto got = gradients(mean_loss, loss.parameters());
  const auto want =
      gradients(-mean(gather(loss.log_prob(x), unsqueeze(target, 1), 1)), loss.parameters());
  for (size_t i = 0; i < want.size(); ++i) expect_same(got[i], want[i], 1e-5);
  // One example, and frequent classes alone.
  const auto single = loss(index(x, {2}), tensor<int64_t>(4));
  EXPECT_EQ(single.output.shape(), Shape());
  EXPECT_NEAR(single.output.item(), index(output, {2}).item(), 1e-6);
  EXPECT_EQ(loss(x, zeros({7}, kI64)).output.shape(), (Shape{7}));
  expect_text(message_of<ValueError>([&] { loss(x, full({7}, 20, kI64)); }),
              "class 20 at position 0 is not one of 20");
  EXPECT_THROW(loss(x, full({7}, -1, kI64)), ValueError);
  EXPECT_THROW(loss(x, zeros({6}, kI64)), ShapeError);
  EXPECT_THROW(loss(x, zeros({7})), ShapeError);
  for (const std::vector<int64_t>& cutoffs :
       {std::vector<int64_t>{}, {0, 5}, {5, 5}, {6, 5}, {5, 20}, {INT64_MIN}, {INT64_MAX}})
    EXPECT_THROW(nn::AdaptiveLogSoftmaxWithLoss(16, 20, cutoffs), ShapeError);
  EXPECT_THROW(nn::AdaptiveLogSoftmaxWithLoss(3, 20, {4}), ShapeError);  // no width is left
  EXPECT_THROW(nn::AdaptiveLogSoftmaxWithLoss(16, 20, {4}, {.div_value = 0}), ShapeError);
}

}  // namespace
}  // namespace glia::modules
