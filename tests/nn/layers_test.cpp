// Layers: their formulas, and how their weights begin.
#include "glia/nn.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "glia/autodiff.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "tests/support/modules.h"

namespace glia {
namespace {

using namespace modules;

// ---- Layers -------------------------------------------------------------------------------------

TEST(Layers, LinearIsItsFormula) {
  nn::Linear layer(3, 2);
  layer.weight = tensor({{1.f, 2.f, 3.f}, {4.f, 5.f, 6.f}});
  layer.bias = tensor({0.5f, -0.5f});
  EXPECT_EQ(numbers(layer(tensor({{1.f, 0.f, -1.f}}))), (Numbers{-1.5, -2.5}));
  EXPECT_EQ(layer(zeros({2, 5, 3})).shape(), (Shape{2, 5, 2}));
  const nn::Linear plain(3, 2, {.bias = false});
  EXPECT_FALSE(plain.bias.defined());
  EXPECT_EQ(numbers(plain(zeros({1, 3}))), (Numbers{0, 0}));
}

TEST(Layers, Conv2dIsItsFormula) {
  nn::Conv2d conv(2, 4, {.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0}, .groups = 2});
  const Tensor x = randn({2, 5, 4, 2});
  const auto xs = numbers(x), ws = numbers(conv.weight), bs = numbers(conv.bias);
  std::vector<double> expected;
  for (int n = 0; n < 2; ++n)
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j)
        for (int o = 0; o < 4; ++o) {
          double sum = bs[o];
          for (int a = 0; a < 3; ++a)
            for (int b = 0; b < 2; ++b) {
              const int row = 2 * i + a - 1, column = j + b;
              if (row >= 0 && row < 5)
                sum += xs[((n * 5 + row) * 4 + column) * 2 + o / 2] * ws[(o * 3 + a) * 2 + b];
            }
          expected.push_back(sum);
        }
  const Tensor y = conv(x);
  EXPECT_EQ(y.shape(), (Shape{2, 3, 3, 4}));
  expect_near(y, expected, 1e-5);
}

TEST(Layers, BatchNormNormalizesAndTracks) {
  nn::BatchNorm2d norm(2);
  const Tensor x = tensor({{1.f, 10.f}, {2.f, 20.f}, {6.f, 60.f}});
  // Mean 3, biased variance 14/3, unbiased 7; the second channel ten times as much.
  const double deviation = std::sqrt(14.0 / 3 + 1e-5), wide = std::sqrt(1400.0 / 3 + 1e-5);
  expect_near(norm(x),
              {-2 / deviation, -20 / wide, -1 / deviation, -10 / wide, 3 / deviation, 30 / wide},
              1e-5);
  expect_near(norm.running_mean, {0.3, 3}, 1e-5);
  expect_near(norm.running_var, {0.9 + 0.7, 0.9 + 70}, 1e-4);
  EXPECT_EQ(norm.num_batches_tracked.tensor().item<int64_t>(), 1);
  EXPECT_EQ(norm.num_batches_tracked.dtype(), kI64);

  norm.eval();
  nn::init::constant_(norm.weight, 2);
  nn::init::constant_(norm.bias, 1);
  expect_near(norm(ones({1, 2})),
              {2 * 0.7 / std::sqrt(1.6 + 1e-5) + 1, 2 * -2.0 / std::sqrt(70.9 + 1e-5) + 1}, 1e-5);
  EXPECT_EQ(norm.num_batches_tracked.tensor().item<int64_t>(), 1);
  EXPECT_EQ(gradients(sum(norm(x)), norm.parameters()).size(), 2u);
}

TEST(Layers, BatchNormCanAverageAllBatchesAlike) {
  const nn::BatchNorm1d norm(1, {.momentum = {}, .affine = false});
  norm(tensor({{1.f}, {3.f}}));
  norm(tensor({{4.f}, {8.f}}));
  expect_near(norm.running_mean, {4}, 1e-6);
  expect_near(norm.running_var, {(2.0 + 8) / 2}, 1e-5);
  EXPECT_TRUE(norm.parameters().empty());
}

TEST(Layers, BatchNormWithoutRunningStatisticsUsesTheBatch) {
  nn::BatchNorm1d norm(1, {.track_running_stats = false});
  norm.eval();
  expect_near(norm(tensor({{1.f}, {3.f}})), {-1, 1}, 1e-5);
  EXPECT_EQ(keys(norm.state_dict()), (Names{"weight", "bias"}));
}

TEST(Layers, BatchNormRefusesWhatItCannotNormalize) {
  nn::BatchNorm2d norm(3);
  expect_text(message_of<ShapeError>([&] {
                norm(ones({2, 4}));
              }),
              "BatchNorm2d: needs (..., 3), got (2, 4)");
  expect_text(message_of<ShapeError>([&] {
                norm(ones({1, 3}));
              }),
              "more than one value per channel");
  norm.eval();
  EXPECT_EQ(norm(ones({1, 3})).shape(), (Shape{1, 3}));
}

TEST(Layers, LayerNormIsItsFormula) {
  nn::LayerNorm norm({2, 2}, {.eps = 0});
  norm.weight = tensor({{1.f, 2.f}, {3.f, 4.f}});
  norm.bias = tensor({{0.f, 1.f}, {0.f, 0.f}});
  const double s = std::sqrt(1.25);
  expect_near(norm(tensor({{1.f, 2.f}, {3.f, 4.f}})), {-1.5 / s, -1 / s + 1, 1.5 / s, 6 / s}, 1e-5);
  const nn::LayerNorm plain(3, {.elementwise_affine = false});
  EXPECT_TRUE(plain.state_dict().empty());
  EXPECT_THROW(plain(ones({2, 4})), ShapeError);
}

TEST(Layers, DropoutWorksInTrainingOnly) {
  manual_seed(3);
  nn::Dropout drop(0.25);
  const auto values = numbers(drop(ones({40000})));
  double sum = 0;
  for (double v : values) {
    EXPECT_TRUE(v == 0 || std::abs(v - 4.0 / 3) < 1e-6);
    sum += v;
  }
  EXPECT_NEAR(sum / 40000, 1, 0.02);
  drop.eval();
  EXPECT_EQ(numbers(drop(ones({3}))), (Numbers{1, 1, 1}));
}

TEST(Layers, EmbeddingTakesRows) {
  nn::Embedding embedding(4, 2, {.padding_idx = -1});
  EXPECT_EQ(embedding.options.padding_idx, 3);
  embedding.weight = tensor({{0.f, 1.f}, {2.f, 3.f}, {4.f, 5.f}, {6.f, 7.f}});
  const Tensor indices = tensor<int64_t>({{2, 3}, {2, 0}});
  const Tensor rows = embedding(indices);
  EXPECT_EQ(rows.shape(), (Shape{2, 2, 2}));
  EXPECT_EQ(numbers(rows), (Numbers{4, 5, 6, 7, 4, 5, 0, 1}));
  EXPECT_EQ(numbers(gradients(sum(rows), embedding.parameters())[0]),
            (Numbers{1, 1, 0, 0, 2, 2, 0, 0}));
  const nn::Embedding fresh(4, 2, {.padding_idx = 1});
  EXPECT_EQ(numbers(index(fresh.weight, {1})), (Numbers{0, 0}));
}

TEST(Layers, Pools) {
  std::vector<float> values(16);
  std::iota(values.begin(), values.end(), 0.0f);
  const Tensor x = from_vector(values, {1, 4, 4, 1});
  EXPECT_EQ(numbers(nn::MaxPool2d(2)(x)), (Numbers{5, 7, 13, 15}));
  EXPECT_EQ(numbers(nn::MaxPool2d(3, {.stride = 1})(x)), (Numbers{10, 11, 14, 15}));
  EXPECT_EQ(numbers(nn::AvgPool2d({2, 4})(x)), (Numbers{3.5, 11.5}));
  EXPECT_EQ(nn::AvgPool2d(2, {.stride = {1, 2}, .padding = 1})(x).shape(), (Shape{1, 5, 3, 1}));
  EXPECT_EQ(numbers(nn::AdaptiveAvgPool2d(1)(x)), (Numbers{7.5}));
  EXPECT_EQ(numbers(nn::AdaptiveAvgPool2d({2, 1})(x)), (Numbers{3.5, 11.5}));
  // Windows of 4 rows for 3 means: 0-1, 1-2, 2-3.
  EXPECT_EQ(numbers(nn::AdaptiveAvgPool2d({3, 1})(x)), (Numbers{3.5, 7.5, 11.5}));
  EXPECT_THROW(nn::AdaptiveAvgPool2d(1)(ones({4, 4})), ShapeError);
}

TEST(Layers, ActivationsAreTheFunctions) {
  const Tensor x = tensor({{-1.5f, 0.f, 2.f}});
  const auto expect_same = [&](const nn::Sequential& layer, const Tensor& expected) {
    EXPECT_EQ(numbers(layer(x)), numbers(expected));
  };
  expect_same(nn::Sequential(nn::ReLU()), relu(x));
  expect_same(nn::Sequential(nn::LeakyReLU(0.2)), leaky_relu(x, 0.2));
  expect_same(nn::Sequential(nn::ELU(2)), elu(x, 2));
  expect_same(nn::Sequential(nn::GELU()), gelu(x));
  expect_same(nn::Sequential(nn::SiLU()), silu(x));
  expect_same(nn::Sequential(nn::Tanh()), tanh(x));
  expect_same(nn::Sequential(nn::Sigmoid()), sigmoid(x));
  expect_same(nn::Sequential(nn::Softmax(0)), ones({1, 3}));
  expect_same(nn::Sequential(nn::LogSoftmax()), log_softmax(x));
  expect_same(nn::Sequential(nn::Identity()), x);
  EXPECT_EQ(nn::Flatten()(zeros({2, 3, 4})).shape(), (Shape{2, 12}));
}

TEST(Layers, LossesAreTheFunctions) {
  const Tensor x = randn({4, 3}), y = randn({4, 3}), classes = tensor<int64_t>({0, 2, 1, 1});
  const auto expect_same = [](const Tensor& a, const Tensor& b) {
    EXPECT_EQ(numbers(a), numbers(b));
  };
  expect_same(nn::CrossEntropyLoss({.label_smoothing = 0.1})(x, classes),
              cross_entropy(x, classes, {.label_smoothing = 0.1}));
  expect_same(nn::NLLLoss()(log_softmax(x), classes), cross_entropy(x, classes));
  expect_same(nn::MSELoss({.reduction = Reduction::kSum})(x, y), mse_loss(x, y, Reduction::kSum));
  expect_same(nn::L1Loss({.reduction = Reduction::kNone})(x, y), abs(x - y));
  expect_same(nn::SmoothL1Loss({.beta = 0.5})(x, y), smooth_l1_loss(x, y, 0.5));
  expect_same(nn::BCEWithLogitsLoss()(x, sigmoid(y)),
              binary_cross_entropy_with_logits(x, sigmoid(y)));
}

TEST(Layers, ArgumentsOutOfRangeAreRefused) {
  EXPECT_EQ(message_of<ShapeError>([] { nn::Linear(0, 2); }),
            "Linear: in_features is 0, not positive");
  EXPECT_EQ(message_of<ShapeError>([] { nn::Conv2d(3, 4, {.kernel = 1, .groups = 2}); }),
            "Conv2d: 3 input and 4 output channels do not divide into 2 groups");
  EXPECT_THROW(nn::Conv2d(3, 4, {.kernel = 0}), ShapeError);
  EXPECT_THROW(nn::BatchNorm2d(-1), ShapeError);
  EXPECT_THROW(nn::LayerNorm(Shape{}), ShapeError);
  EXPECT_THROW(nn::Dropout(1.5), ShapeError);
  EXPECT_THROW(nn::Embedding(3, 2, {.padding_idx = 3}), ShapeError);
  EXPECT_THROW(nn::MaxPool2d(0), ShapeError);
  EXPECT_THROW(nn::AdaptiveAvgPool2d(0), ShapeError);
}

TEST(Layers, ANetworkOfThemLearns) {
  manual_seed(4);
  nn::Sequential net(nn::Conv2d(1, 8, {.kernel = 3, .padding = 1}), nn::BatchNorm2d(8), relu,
                     nn::MaxPool2d(2), nn::Flatten(), nn::LayerNorm(128), nn::Linear(128, 2));
  const Tensor y = remainder(arange(32), 2);
  const Tensor x = randn({32, 8, 8, 1}) + reshape(cast(y, kF32), {32, 1, 1, 1});
  optim::Adam adam(net.parameters(), {.lr = 1e-2});
  const double before = cross_entropy(net(x), y).item();
  for (int i = 0; i < 30; ++i) adam.step(gradients(cross_entropy(net(x), y), net.parameters()));
  EXPECT_LT(cross_entropy(net(x), y).item(), 0.1 * before);
}

// ---- Initial distributions ----------------------------------------------------------------------

struct Statistics {
  double mean = 0, std = 0, low = 0, high = 0;
};
Statistics statistics(const Tensor& t) {
  const auto values = numbers(t);
  Statistics s;
  s.low = *std::min_element(values.begin(), values.end());
  s.high = *std::max_element(values.begin(), values.end());
  s.mean = std::accumulate(values.begin(), values.end(), 0.0) / values.size();
  for (double v : values) s.std += (v - s.mean) * (v - s.mean);
  s.std = std::sqrt(s.std / values.size());
  return s;
}

void expect_uniform(const Tensor& t, double bound) {
  const Statistics s = statistics(t);
  EXPECT_NEAR(s.low, -bound, 0.02 * bound);
  EXPECT_NEAR(s.high, bound, 0.02 * bound);
  EXPECT_NEAR(s.std, bound / std::sqrt(3.0), 0.03 * bound);
  EXPECT_LE(std::max(-s.low, s.high), bound);
}
void expect_normal(const Tensor& t, double std) {
  const Statistics s = statistics(t);
  EXPECT_NEAR(s.mean, 0, 0.05 * std);
  EXPECT_NEAR(s.std, std, 0.05 * std);
  EXPECT_GT(s.high, 2.5 * std);
}

TEST(Init, LayersStartAsInPyTorch) {
  manual_seed(5);
  const nn::Linear linear(64, 400);
  expect_uniform(linear.weight, 1.0 / 8);
  expect_uniform(linear.bias, 1.0 / 8);
  const nn::Conv2d conv(8, 400, {.kernel = 5, .groups = 2});
  expect_uniform(conv.weight, 1.0 / 10);
  expect_uniform(conv.bias, 1.0 / 10);
  expect_normal(nn::Embedding(100, 50).weight, 1);
  EXPECT_EQ(numbers(nn::LayerNorm(3).weight), numbers(ones({3})));
}

TEST(Init, FansAndGains) {
  manual_seed(6);
  const Parameter dense{zeros({100, 300})}, kernel{zeros({40, 5, 5, 20})};
  nn::init::xavier_uniform_(dense);
  expect_uniform(dense, std::sqrt(6.0 / 400));
  nn::init::xavier_normal_(kernel, 2);
  expect_normal(kernel, 2 * std::sqrt(2.0 / (25 * 20 + 25 * 40)));
  nn::init::kaiming_uniform_(dense, {.a = std::sqrt(5.0)});
  expect_uniform(dense, 1 / std::sqrt(300.0));
  nn::init::kaiming_normal_(
      kernel, {.mode = nn::init::Fan::kOut, .nonlinearity = nn::init::Nonlinearity::kReLU});
  expect_normal(kernel, std::sqrt(2.0 / (25 * 40)));
  EXPECT_DOUBLE_EQ(nn::init::calculate_gain(nn::init::Nonlinearity::kTanh), 5.0 / 3);
  EXPECT_DOUBLE_EQ(nn::init::calculate_gain(nn::init::Nonlinearity::kLeakyReLU, 1), 1);
  EXPECT_THROW(nn::init::xavier_normal_(Parameter(zeros({3}))), ShapeError);
}

TEST(Init, TruncatedNormalsStayInRange) {
  manual_seed(7);
  const Parameter p{zeros({200, 200})};
  nn::init::trunc_normal_(p);
  const Statistics middle = statistics(p);
  EXPECT_GE(middle.low, -2);
  EXPECT_LE(middle.high, 2);
  EXPECT_NEAR(middle.mean, 0, 0.02);
  EXPECT_NEAR(middle.std, 0.8796, 0.01);  // sqrt(1 - 4 phi(2) / (2 Phi(2) - 1))

  nn::init::trunc_normal_(p, 0, 1, 2, 3);  // a tail, where few normal numbers fall
  const Statistics tail = statistics(p);
  EXPECT_GE(tail.low, 2);
  EXPECT_LE(tail.high, 3);
  EXPECT_NEAR(tail.mean, 2.3158, 0.01);  // (phi(2) - phi(3)) / (Phi(3) - Phi(2))
  EXPECT_THROW(nn::init::trunc_normal_(p, 0, -1), ValueError);
}

TEST(Init, OrthogonalMatrices) {
  for (const Shape& shape : {Shape{6, 4}, Shape{4, 6}, Shape{3, 2, 2, 2}, Shape{5, 5}}) {
    const Parameter p{zeros(shape)};
    nn::init::orthogonal_(p, 2);
    Tensor m = cast(flatten(p, 1), kF64);
    if (m.size(0) > m.size(1)) m = transpose(m);
    const Tensor product = matmul(m, transpose(m)) / 4;
    expect_near(product, numbers(eye(m.size(0), kF64)), 1e-6);
  }
  EXPECT_THROW(nn::init::orthogonal_(Parameter(zeros({3}))), ShapeError);
}

}  // namespace
}  // namespace glia
