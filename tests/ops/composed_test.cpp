// Activations, softmax, losses, normalisation, dropout and random numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kClose = 1e-11;

// The numbers expected below are PyTorch's for these.
Tensor x23() { return from_vector<double>({0.5, -1, 2, 1.5, 0, -3}, {2, 3}); }
Tensor x33() { return from_vector<double>({0.5, -1, 2, 1.5, 0, -3, 0.1, 0.2, 0.3}, {3, 3}); }

// First and second derivatives.
void check_derivatives(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  EXPECT_EQ(gradcheck(f, inputs), "");
  EXPECT_EQ(gradgradcheck(f, inputs), "");
}

TEST(Activations, Values) {
  const Tensor x = x23();
  const Shape s{2, 3};
  expect_values(leaky_relu(x, 0.1), s, {0.5, -0.1, 2.0, 1.5, 0.0, -0.3}, kClose);
  expect_values(elu(x, 0.7), s, {0.5, -0.44248439118, 2, 1.5, 0, -0.665149052142}, kClose);
  expect_values(log_sigmoid(x), s,
                {-0.47407698418, -1.313261687518, -0.126928011043, -0.201413277983, -0.69314718056,
                 -3.048587351574},
                kClose);
  expect_values(softplus(x), s,
                {0.97407698418, 0.313261687518, 2.126928011043, 1.701413277983, 0.69314718056,
                 0.048587351574},
                kClose);
  expect_values(silu(x), s,
                {0.311229665601, -0.26894142137, 1.761594155956, 1.22636171429, 0, -0.142277619533},
                kClose);
  expect_values(
      gelu(x), s,
      {0.345731230637, -0.158655253931, 1.954499736104, 1.399789198097, 0, -0.004049694095},
      kClose);
}

TEST(Activations, FarOut) {
  const Tensor x = tensor<float>({-1e4f, -100, 100, 1e4f});
  expect_values(softplus(x), {4}, {0, 3.8e-44, 100, 1e4}, 1e-43);
  expect_values(log_sigmoid(x), {4}, {-1e4, -100, 0, 0}, 1e-43);
  expect_values(elu(x), {4}, {-1, -1, 100, 1e4});
  expect_values(silu(x), {4}, {0, 0, 100, 1e4}, 1e-40);
  expect_values(gelu(x), {4}, {0, 0, 100, 1e4});
  const Tensor w = trainable(x);
  for (const Tensor& y : {softplus(w), log_sigmoid(w), elu(w), silu(w), gelu(w)}) {
    const Tensor g = gradients(sum(y), {w})[0];
    EXPECT_TRUE(all(isfinite(g)).item<bool>()) << g.str();
  }
}

TEST(Activations, Derivatives) {
  const Tensor x = numbers({3, 4}) * 3;
  check_derivatives([](auto& in) { return leaky_relu(in[0]); }, {x});
  check_derivatives([](auto& in) { return elu(in[0], 0.7); }, {x});
  check_derivatives([](auto& in) { return log_sigmoid(in[0]); }, {x});
  check_derivatives([](auto& in) { return softplus(in[0]); }, {x});
  check_derivatives([](auto& in) { return silu(in[0]); }, {x});
  check_derivatives([](auto& in) { return gelu(in[0]); }, {x});
  // Smooth where the form in use has a corner.
  const Tensor w = trainable(tensor(0.0));
  expect_values(gradients(softplus(w), {w})[0], {}, {0.5});
  expect_values(gradients(log_sigmoid(w), {w})[0], {}, {0.5});
}

TEST(Activations, OfIntegersAndNumbers) {
  EXPECT_EQ(silu(tensor({1, 2})).dtype(), kF32);
  EXPECT_EQ(gelu(cast(x23(), kBF16)).dtype(), kBF16);
  EXPECT_NEAR(softplus(0).item(), 0.6931472, 1e-6);
}

TEST(Softmax, Values) {
  const Tensor x = x23();
  expect_values(
      softmax(x, 0), {2, 3},
      {0.26894142137, 0.26894142137, 0.993307149076, 0.73105857863, 0.73105857863, 0.006692850924},
      kClose);
  expect_values(log_softmax(x), {2, 3},
                {-1.741311296657, -3.241311296657, -0.241311296657, -0.210454712772,
                 -1.710454712772, -4.710454712772},
                kClose);
  expect_values(logsumexp(x, {0, 1}), {}, {2.703850256972}, kClose);
  EXPECT_EQ(logsumexp(x, {1}, true).shape().str(), "(2, 1)");
  expect_same(exp(log_softmax(x, 0)), softmax(x, 0), kClose);
}

TEST(Softmax, Extremes) {
  const Tensor x = from_vector<double>({1e4, 0, -kInf, -kInf, -kInf, -kInf, 0, kInf, 1}, {3, 3});
  expect_values(logsumexp(x), {3}, {1e4, -kInf, kInf});
  expect_values(index(softmax(x), {0}), {3}, {1, 0, 0});
  expect_values(index(log_softmax(x), {0}), {3}, {0, -1e4, -kInf});
  const Tensor w = trainable(index(x, {Slice{0, 2, 1}}));
  expect_values(gradients(sum(logsumexp(w)), {w})[0], {2, 3}, {1, 0, 0, 0, 0, 0});
  for (const Shape& empty : {Shape{0, 3}, Shape{3, 0}})
    EXPECT_EQ(softmax(zeros(empty)).shape().str(), empty.str());
  // Sums of many small terms hold in 16 bits.
  expect_values(logsumexp(zeros({1, 4096}, kBF16)), {1}, {8.3125});
  EXPECT_EQ(softmax(zeros({2, 3}, kF16)).dtype(), kF16);
}

TEST(Softmax, Derivatives) {
  const Tensor x = numbers({2, 3, 4}) * 2;
  for (int axis : {0, 1, 2}) {
    check_derivatives([axis](auto& in) { return softmax(in[0], axis); }, {x});
    check_derivatives([axis](auto& in) { return log_softmax(in[0], axis); }, {x});
    check_derivatives([axis](auto& in) { return logsumexp(in[0], {axis}); }, {x});
  }
  check_derivatives([](auto& in) { return logsumexp(in[0], {}); }, {x});
  // Third order.
  check_derivatives([](auto& in) { return gradients(sum(pow(softmax(in[0]), 3)), {in[0]})[0]; },
                    {x});
}

TEST(CrossEntropy, IsTorchs) {
  const Tensor x = x23(), t = tensor<int64_t>({2, 0});
  const auto ce = [](const Tensor& a, const Tensor& b, CrossEntropyOptions options) {
    return cross_entropy(a, b, options);
  };
  expect_values(ce(x, t, {}), {}, {0.225883004715}, kClose);
  expect_values(ce(x, t, {.label_smoothing = 0.2}), {}, {0.575883004715}, kClose);
  const Tensor t3 = tensor<int64_t>({2, 0, -100});
  expect_values(ce(x33(), t3, {}), {}, {0.225883004715}, kClose);
  expect_values(ce(x33(), t3, {.label_smoothing = 0.1}), {}, {0.400883004715}, kClose);
  const Tensor u = tensor<int64_t>({2, 0, 1});
  expect_values(ce(x33(), u, {.ignore_index = 0, .reduction = Reduction::kNone}), {3},
                {0.241311296657, 0, 1.101942848229}, kClose);
  expect_values(
      ce(x33(), u, {.label_smoothing = 0.3, .ignore_index = 0, .reduction = Reduction::kSum}), {},
      {1.793254144886}, kClose);
  const Tensor p = from_vector<double>({0.2, 0.3, 0.5, 1, 0, 0}, {2, 3});
  expect_values(ce(x, p, {}), {}, {0.825883004715}, kClose);
  expect_values(ce(x, p, {.label_smoothing = 0.1, .reduction = Reduction::kSum}), {},
                {1.881766009429}, kClose);
  expect_values(nll_loss(log_softmax(x33()), t3), {}, {0.225883004715}, kClose);
  // Any dtype of indices, any number of axes before the classes.
  for (DType dtype : {kU8, kI32, kI64})
    expect_values(cross_entropy(reshape(x, {2, 1, 3}), reshape(cast(t, dtype), {2, 1})), {},
                  {0.225883004715}, kClose);
  EXPECT_EQ(cross_entropy(cast(x, kBF16), t).dtype(), kBF16);
  expect_values(ce(x, full({2}, -100, kI64), {}), {}, {kNaN});
}

// PyTorch's, too.
TEST(CrossEntropy, ClassesHaveWeights) {
  const Tensor x = from_vector<double>({0.5, -1, 2, 1.5, 0, -3, 0.25, 0.5, 0.75}, {3, 3});
  const Tensor t = tensor<int64_t>({2, 0, 1}), w = tensor<double>({0.5, 2, 1.5}),
               p = from_vector<double>({0.2, 0.3, 0.5, 1, 0, 0, 0, 0.25, 0.75}, {3, 3});
  const auto ce = [&](const Tensor& target, CrossEntropyOptions options) {
    options.weight = w;
    return cross_entropy(x, target, options);
  };
  expect_values(ce(t, {}), {}, {0.676467617546}, kClose);
  expect_values(ce(t, {.label_smoothing = 0.2}), {}, {0.916747700292}, kClose);
  expect_values(ce(t, {.label_smoothing = 0.2, .ignore_index = 0}), {}, {0.821910759806}, kClose);
  expect_values(ce(t, {.label_smoothing = 0.2, .reduction = Reduction::kNone}), {3},
                {0.803923235097, 0.790303141848, 2.072764424224}, kClose);
  expect_values(ce(t, {.ignore_index = 1, .reduction = Reduction::kSum}), {}, {0.467194301372},
                kClose);
  expect_values(ce(p, {}), {}, {1.314267707899}, kClose);
  expect_values(ce(p, {.label_smoothing = 0.1}), {}, {1.433223341280}, kClose);
  const Tensor q = log_softmax(x);
  expect_values(nll_loss(q, t, {.ignore_index = 0, .weight = w}), {}, {0.743040889656}, kClose);
  expect_values(nll_loss(q, t, {.ignore_index = 0}), {}, {0.680324690531}, kClose);
  expect_values(nll_loss(q, t, {.reduction = Reduction::kNone, .weight = w}), {3},
                {0.361966944986, 0.105227356386, 2.238676168811}, kClose);
  // One number for each class, in whatever dtype.
  EXPECT_EQ(cross_entropy(cast(x, kBF16), t, {.weight = w}).dtype(), kBF16);
  for (const Tensor& wrong : {ones({2}), ones({1, 3}), ones({})}) {
    EXPECT_THROW(cross_entropy(x, t, {.weight = wrong}), ShapeError);
    EXPECT_THROW(nll_loss(q, t, {.weight = wrong}), ShapeError);
  }
  for (double smoothing : {0.0, 0.1}) {
    const CrossEntropyOptions options{.label_smoothing = smoothing, .ignore_index = 1, .weight = w};
    check_derivatives([&](auto& in) { return cross_entropy(in[0], t, options); }, {x});
    check_derivatives([&](auto& in) { return cross_entropy(in[0], softmax(in[1]), options); },
                      {x, p});
  }
}

TEST(Losses, BinaryCrossEntropyHasWeights) {
  const Tensor x = from_vector<double>({0.5, -1, 2, 1.5, 0, -3, 0.25, 0.5, 0.75}, {3, 3}),
               p = from_vector<double>({0.2, 0.3, 0.5, 1, 0, 0, 0, 0.25, 0.75}, {3, 3}),
               w = tensor<double>({0.5, 2, 1.5}), positive = tensor<double>({2, 1, 3});
  const auto bce = [&](BinaryCrossEntropyOptions options) {
    return binary_cross_entropy_with_logits(x, p, options);
  };
  expect_values(bce({.weight = w, .pos_weight = positive}), {}, {1.010609135152}, kClose);
  expect_values(bce({.reduction = Reduction::kSum, .pos_weight = positive}), {}, {6.810265098066},
                kClose);
  EXPECT_THROW(bce({.weight = ones({2})}), ShapeError);
  EXPECT_THROW(bce({.pos_weight = ones({2, 3, 3})}), ShapeError);
  check_derivatives(
      [](auto& in) {
        return binary_cross_entropy_with_logits(in[0], in[1],
                                                {.weight = in[2], .pos_weight = in[3]});
      },
      {x, p, w, positive});
}

TEST(CrossEntropy, Derivatives) {
  const Tensor x = numbers({4, 5}) * 3, t = tensor<int64_t>({1, 4, -100, 0});
  for (double smoothing : {0.0, 0.1}) {
    for (Reduction r : {Reduction::kNone, Reduction::kMean, Reduction::kSum}) {
      const CrossEntropyOptions options{.label_smoothing = smoothing, .reduction = r};
      check_derivatives([&](auto& in) { return cross_entropy(in[0], t, options); }, {x});
      check_derivatives([&](auto& in) { return cross_entropy(in[0], softmax(in[1]), options); },
                        {x, numbers({4, 5}, 1)});
    }
  }
  check_derivatives([&](auto& in) { return nll_loss(square(in[0]), t); }, {x});
  // The gradient of an infinite logit that is not the target is zero, not NaN.
  const Tensor w = trainable(tensor<double>({{0.0, -kInf, 0.0}}));
  expect_values(gradients(cross_entropy(w, tensor<int64_t>({0})), {w})[0], {1, 3}, {-0.5, 0, 0.5},
                kClose);
}

TEST(CrossEntropy, SaysWhatIsWrong) {
  const Tensor x = x23();
  for (int64_t bad : {3, -1}) {
    const std::string message = message_of<ValueError>([&] {
      cross_entropy(x, tensor<int64_t>({0, bad})).item();
    });
    EXPECT_NE(message.find("class " + std::to_string(bad) + " at position 1 is not one of 3"),
              std::string::npos)
        << message;
  }
  EXPECT_NE(message_of<ShapeError>([&] {
              cross_entropy(x, tensor({0, 1, 2}));
            }).find("for input (2, 3) the target must be class indices (2,), not i32 (3,)"),
            std::string::npos);
  EXPECT_THROW(cross_entropy(x, zeros({3, 2})), ShapeError);
  EXPECT_THROW(cross_entropy(tensor(1.0), tensor(1)), ShapeError);
  EXPECT_THROW(cross_entropy(x, tensor({0, 1}), {.label_smoothing = 2}), ShapeError);
}

TEST(Losses, AreTorchs) {
  const Tensor x = x23(), y = from_vector<double>({0, 1, 0.5, 1, -2, -3.1}, {2, 3});
  expect_values(mse_loss(x, y), {}, {1.793333333333}, kClose);
  expect_values(l1_loss(x, y, Reduction::kSum), {}, {6.6}, kClose);
  expect_values(smooth_l1_loss(x, y, 0.75), {}, {0.785833333333}, kClose);
  expect_values(smooth_l1_loss(x, y, 1, Reduction::kNone), {2, 3},
                {0.125, 1.5, 1, 0.125, 1.5, 0.005}, kClose);
  expect_same(smooth_l1_loss(x, y, 0), l1_loss(x, y));
  const Tensor b = from_vector<double>({0, 1, 0.5, 1, 0, 1}, {2, 3});
  expect_values(binary_cross_entropy_with_logits(x, b), {}, {1.22623574881}, kClose);
  EXPECT_THROW(mse_loss(x, tensor(1.0)), ShapeError);
}

TEST(Losses, Derivatives) {
  const std::vector<Tensor> in{numbers({3, 4}) * 2, numbers({3, 4}, 1)};
  check_derivatives([](auto& in) { return mse_loss(in[0], in[1]); }, in);
  check_derivatives([](auto& in) { return l1_loss(in[0], in[1]); }, in);
  check_derivatives([](auto& in) { return smooth_l1_loss(in[0], in[1], 0.5); }, in);
  check_derivatives([](auto& in) { return binary_cross_entropy_with_logits(in[0], in[1]); }, in);
}

TEST(Norms, AreTorchs) {
  const Tensor x = x23(), w = tensor<double>({1, 2, -1}), b = tensor<double>({0.1, 0.2, 0.3});
  expect_values(
      layer_norm(x, w, b), {2, 3},
      {0.1, -2.249481577858, -0.924740788929, 1.169043440446, 0.734521720223, 1.636304300557},
      kClose);
  expect_values(
      layer_norm(x, {}, {}, 2), {2, 3},
      {0.301510796377, -0.603021592754, 1.206043185507, 0.90453238913, 0, -1.809064778261}, kClose);
  const BatchNormResult r = batch_norm(x33(), w, b);
  expect_values(r.out, {3, 3},
                {-0.239678211074, -2.593952097753, -0.775896256392, 1.458712844295, 1.215982581001,
                 1.63282670568, -0.919034633221, 1.977969516752, 0.043069550712},
                kClose);
  expect_values(r.mean, {3}, {0.7, -0.266666666667, -0.233333333333}, kClose);
  expect_values(r.var, {3}, {0.346666666667, 0.275555555556, 4.308888888889}, kClose);
  expect_same(reshape(batch_norm(reshape(x33(), {1, 3, 1, 3}), w, b).out, {3, 3}), r.out, kClose);
  EXPECT_EQ(layer_norm(cast(x, kBF16), cast(w, kBF16), {}).dtype(), kBF16);
  EXPECT_THROW(layer_norm(x, zeros({2}), {}), ShapeError);
  EXPECT_THROW(layer_norm(x, {}, {}, 3), ShapeError);
  EXPECT_THROW(batch_norm(x, w, zeros({2})), ShapeError);
}

TEST(Norms, Derivatives) {
  const Tensor x = numbers({3, 2, 4}), w = numbers({4}, 1), b = numbers({4}, 2);
  check_derivatives([](auto& in) { return layer_norm(in[0], in[1], in[2]); }, {x, w, b});
  check_derivatives([](auto& in) { return square(layer_norm(in[0], {}, {}, 2)); }, {x});
  check_derivatives([](auto& in) { return batch_norm(in[0], in[1], in[2]).out; }, {x, w, b});
  check_derivatives(
      [](auto& in) {
        const BatchNormResult r = batch_norm(in[0], in[1], {});
        return square(r.out) + r.mean * r.var;
      },
      {x, w});
}

// What a few roundings of the mean are to the deviation, and no more.
TEST(Norms, BatchNormFarFromZero) {
  constexpr double kMean = 100, kScale = 0.01, kRoundings = 8;
  const double tolerance = kRoundings * kMean * 0x1p-24 / (kScale * std::sqrt(0.5));
  const Tensor x = cast(kMean + kScale * numbers({64, 4, 8}), kF32),
               w = cast(numbers({8}, 1), kF32);
  const Tensor g = cast(numbers({64, 4, 8}, 2), kF32);
  const auto results = [&](DType dtype) {
    const Tensor a = trainable(cast(x, dtype)), b = trainable(cast(w, dtype));
    const Tensor y = batch_norm(a, b, b, 0).out;
    std::vector<Tensor> out = gradients(sum(y * cast(g, dtype)), {a, b});
    out.push_back(y);
    return out;
  };
  const std::vector<Tensor> f32 = results(kF32), f64 = results(kF64);
  for (size_t i = 0; i < f64.size(); ++i) {
    const Tensor error = abs(cast(f32[i], kF64) - f64[i]) / max(abs(f64[i]));
    EXPECT_LT(max(error).item(), tolerance) << i;
  }
}

TEST(Dropout, ZeroesAndScales) {
  manual_seed(3);
  const Tensor x = ones({200, 500});
  const Tensor y = dropout(x, 0.3);
  const double kept = mean(cast(y != 0, kF64)).item();
  EXPECT_NEAR(kept, 0.7, 0.01);
  EXPECT_TRUE(all((y == 0) | (abs(y - 1 / 0.7) < 1e-6)).item<bool>());
  EXPECT_FALSE(all(dropout(x, 0.3) == y).item<bool>());
  expect_same(dropout(x, 0), x);
  expect_same(dropout(x, 1), zeros_like(x));
  for (double p : {-0.1, 1.1, kNaN}) EXPECT_THROW(dropout(x, p), ShapeError);
  // The derivative uses the mask of the value, also when that was read before.
  for (double p : {0.3, 1.0}) {
    const Tensor w = trainable(x);
    const Tensor z = dropout(w, p);
    const Tensor before = z + 0;
    eval(before);
    expect_same(gradients(sum(z), {w})[0], before);
  }
}

TEST(Random, StreamsAndStates) {
  manual_seed(7);
  const auto a = rand({1000}).to_vector<float>();
  const RandomState state = random_state();
  EXPECT_EQ(state.seed, 7u);
  const auto b = rand({1000}).to_vector<float>();
  EXPECT_NE(a, b);
  set_random_state(state);
  EXPECT_EQ(rand({1000}).to_vector<float>(), b);
  manual_seed(8);
  EXPECT_NE(rand({1000}).to_vector<float>(), a);
  // Neither threads nor the moment of computing matter.
  manual_seed(7);
  const Tensor later = rand({1000});
  rand({5}).to_vector<float>();
  EXPECT_EQ(later.to_vector<float>(), a);
}

TEST(Random, RangesThatAreNoneAreErrors) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_THROW(uniform({2}, 3, 1), ShapeError);
  EXPECT_THROW(uniform({2}, kNaN, 1), ShapeError);
  EXPECT_THROW(uniform({2}, 0, kInfinity), ShapeError);
  EXPECT_THROW(normal({2}, 0, -1), ShapeError);
  EXPECT_THROW(normal({2}, 0, kNaN), ShapeError);
  EXPECT_THROW(bernoulli({2}, 1.5), ShapeError);
  EXPECT_THROW(bernoulli({2}, kNaN), ShapeError);
  EXPECT_THROW(randint(3, 3, {2}), ShapeError);
  EXPECT_THROW(randperm(-1), ShapeError);
  EXPECT_THROW(dropout(ones({2}), kNaN), ShapeError);
  EXPECT_EQ(uniform({3}, 2, 2).to_vector<double>(), (std::vector<double>{2, 2, 2}));
  EXPECT_EQ(normal({3}, 2, 0).to_vector<double>(), (std::vector<double>{2, 2, 2}));
}

TEST(Random, NoPlanForEachCall) {
  const auto step = [] { return sum(dropout(ones({64, 8}), 0.25) + rand({64, 8})).item(); };
  step();
  const int64_t built = graph_stats().plans_built;
  const double first = step();
  EXPECT_NE(step(), first);
  EXPECT_EQ(graph_stats().plans_built, built);
}

void expect_moments(const Tensor& x, double mean_expected, double var_expected, double tolerance) {
  const Tensor t = cast(x, kF64);
  EXPECT_NEAR(mean(t).item(), mean_expected, tolerance);
  EXPECT_NEAR(var(t).item(), var_expected, tolerance);
}

TEST(Random, Distributions) {
  manual_seed(1);
  for (DType t : {kF16, kBF16, kF32, kF64}) {
    SCOPED_TRACE(name(t));
    const Tensor u = rand({200000}, t);
    EXPECT_EQ(u.dtype(), t);
    EXPECT_TRUE(all((u >= 0) & (u < 1)).item<bool>());
    expect_moments(u, t == kBF16 ? 0.5 - 1.0 / 512 : 0.5, 1.0 / 12, 0.003);
    expect_moments(randn({200000}, t), 0, 1, 0.012);
  }
  expect_moments(uniform({200000}, -2, 4), 1, 3, 0.03);
  expect_moments(normal({200000}, 3, 0.5), 3, 0.25, 0.01);
  expect_moments(bernoulli({200000}, 0.2), 0.2, 0.16, 0.005);
  EXPECT_EQ(bernoulli({1}, 0.5).dtype(), kBool);
  // Normal tails: 4.55 % beyond two deviations.
  EXPECT_NEAR(mean(cast(abs(randn({400000})) > 2, kF64)).item(), 0.0455, 0.002);

  const Tensor i = randint(-3, 4, {70000});
  EXPECT_EQ(i.dtype(), kI64);
  for (int v = -3; v < 4; ++v) EXPECT_NEAR(sum(i == v).item(), 10000, 400);
  EXPECT_EQ(min(i).item<int64_t>(), -3);
  EXPECT_EQ(max(i).item<int64_t>(), 3);

  auto p = randperm(1000).to_vector<int64_t>();
  std::vector<int64_t> in_order(1000);
  std::iota(in_order.begin(), in_order.end(), 0);
  EXPECT_NE(p, in_order);
  std::ranges::sort(p);
  EXPECT_EQ(p, in_order);
  EXPECT_EQ(randperm(0).numel(), 0);

  EXPECT_THROW(rand({1}, kI32), ShapeError);
  EXPECT_THROW(randint(2, 2, {1}), ShapeError);
  EXPECT_THROW(bernoulli({1}, 1.5), ShapeError);
  EXPECT_THROW(randperm(-1), ShapeError);
}

}  // namespace
}  // namespace glia::test
