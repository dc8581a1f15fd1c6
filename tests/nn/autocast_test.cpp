// Mixed precision: dtypes of results, gradients and training inside an Autocast.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "glia/autodiff.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

constexpr double kEps = 1.0 / 256;  // the largest relative error of rounding to bf16

Tensor f32(const Shape& shape, double phase = 0) { return cast(numbers(shape, phase), kF32); }
Tensor rounded(const Tensor& x) { return cast(cast(x, kBF16), kF64); }
double largest(const Tensor& x) { return max(abs(cast(x, kF64))).item(); }

// Of the largest value.
void expect_near(const Tensor& got, const Tensor& want, double tolerance) {
  EXPECT_EQ(got.shape().str(), want.shape().str());
  EXPECT_LE(largest(cast(got, kF64) - cast(want, kF64)), tolerance * largest(want));
}

TEST(Autocast, ProductsGiveBf16) {
  const Tensor x = f32({4, 6}), w = f32({5, 6}), b = f32({5}), image = f32({2, 6, 6, 3});
  const Tensor kernel = f32({4, 3, 3, 3});
  {
    const Autocast half(kBF16);
    EXPECT_EQ(matmul(x, transpose(w)).dtype(), kBF16);
    EXPECT_EQ(linear(x, w, b).dtype(), kBF16);
    EXPECT_EQ(conv2d(image, kernel, f32({4})).dtype(), kBF16);
    EXPECT_EQ(matmul(cast(x, kF16), transpose(cast(w, kF16))).dtype(), kBF16);
    EXPECT_EQ(matmul(cast(x, kF64), transpose(cast(w, kF64))).dtype(), kF64);
    EXPECT_EQ(matmul(cast(x, kI32), transpose(cast(w, kI32))).dtype(), kI32);
    const Tensor q = f32({2, 3, 5, 4});
    EXPECT_EQ(scaled_dot_product_attention(q, q, q).dtype(), kBF16);
    EXPECT_EQ(scaled_dot_product_attention(q, q, q, {.dropout_p = 0.1}).dtype(), kBF16);
    const Autocast whole(kF32);
    EXPECT_EQ(matmul(x, transpose(w)).dtype(), kF32);
  }
  EXPECT_EQ(linear(x, w, b).dtype(), kF32);
  EXPECT_THROW(Autocast{kF16}, Error);
  EXPECT_THROW(Autocast{kI32}, Error);
}

TEST(Autocast, OtherOperationsGoByWhatTheyAreGiven) {
  const Autocast half(kBF16);
  const Tensor wide = f32({2, 6, 6, 4}), narrow = cast(wide, kBF16);
  EXPECT_EQ(max_pool2d(narrow, 2).dtype(), kBF16);
  EXPECT_EQ(avg_pool2d(narrow, 2).dtype(), kBF16);
  EXPECT_EQ(relu(narrow).dtype(), kBF16);
  EXPECT_EQ(gelu(narrow).dtype(), kBF16);
  EXPECT_EQ(dropout(narrow, 0.5).dtype(), kBF16);
  EXPECT_EQ(max(narrow).dtype(), kBF16);
  EXPECT_EQ((narrow + wide).dtype(), kF32);
  EXPECT_EQ(max_pool2d(wide, 2).dtype(), kF32);
}

TEST(Autocast, NormsSumsAndLossesGiveF32) {
  const Autocast half(kBF16);
  const Tensor x = cast(f32({3, 4}), kBF16), w = f32({4}), t = from_vector<int64_t>({0, 3, 1}, {3});
  EXPECT_EQ(batch_norm(x, w, w).out.dtype(), kF32);
  EXPECT_EQ(batch_norm(x, w, w).mean.dtype(), kF32);
  EXPECT_EQ(layer_norm(x, w, w).dtype(), kF32);
  EXPECT_EQ(softmax(x).dtype(), kF32);
  EXPECT_EQ(log_softmax(x).dtype(), kF32);
  EXPECT_EQ(logsumexp(x, {-1}).dtype(), kF32);
  EXPECT_EQ(sum(x).dtype(), kF32);
  EXPECT_EQ(mean(x).dtype(), kF32);
  EXPECT_EQ(var(x).dtype(), kF32);
  EXPECT_EQ(cross_entropy(x, t).dtype(), kF32);
  EXPECT_EQ(nll_loss(x, t).dtype(), kF32);
  EXPECT_EQ(mse_loss(x, x).dtype(), kF32);
  EXPECT_EQ(l1_loss(x, x).dtype(), kF32);
  EXPECT_EQ(smooth_l1_loss(x, x).dtype(), kF32);
  EXPECT_EQ(binary_cross_entropy_with_logits(x, sigmoid(x)).dtype(), kF32);
}

// What is summed is exact products of rounded operands, and the sum is rounded once.
TEST(Autocast, ResultsAreThoseOfRoundedOperands) {
  const Tensor x = f32({33, 70}), w = f32({20, 70}, 1), b = f32({20}, 2);
  const Tensor image = f32({2, 9, 8, 6}), kernel = f32({10, 3, 3, 6}, 1);
  const Autocast half(kBF16);
  expect_near(matmul(x, transpose(w)), matmul(rounded(x), transpose(rounded(w))), kEps);
  expect_near(linear(x, w, b), linear(rounded(x), rounded(w), cast(b, kF64)), 2 * kEps);
  expect_near(conv2d(image, kernel), conv2d(rounded(image), rounded(kernel)), kEps);
}

TEST(Autocast, GradientsOfF32AreF32) {
  const Tensor x = trainable(f32({12, 34})), w = trainable(f32({8, 34}, 1)),
               b = trainable(f32({8}, 2));
  const Tensor seed = rounded(f32({12, 8}, 3));
  std::vector<Tensor> g;
  {
    const Autocast half(kBF16);
    g = gradients(linear(x, w, b), {x, w, b}, cast(seed, kBF16));
  }
  for (const Tensor& t : g) EXPECT_EQ(t.dtype(), kF32);
  expect_near(g[0], matmul(seed, rounded(w)), kEps);
  expect_near(g[1], matmul(transpose(seed), rounded(x)), kEps);
  expect_near(g[2], sum(seed, {0}), kEps);

  const Tensor image = trainable(f32({2, 7, 6, 4})), kernel = trainable(f32({5, 3, 3, 4}, 1));
  const Tensor gy = rounded(f32({2, 5, 4, 5}, 3));
  {
    const Autocast half(kBF16);
    g = gradients(conv2d(image, kernel), {image, kernel}, cast(gy, kBF16));
  }
  const Tensor i64 = trainable(rounded(image)), k64 = trainable(rounded(kernel));
  const std::vector<Tensor> want = gradients(conv2d(i64, k64), {i64, k64}, gy);
  for (int i : {0, 1}) {
    EXPECT_EQ(g[i].dtype(), kF32);
    expect_near(g[i], want[i], kEps);
  }
}

// Each layer's result and its gradients by everything that it takes, against f32.
void expect_like_f32(const std::function<Tensor(const std::vector<Tensor>&)>& layer,
                     const std::vector<Tensor>& in, DType dtype) {
  std::vector<Tensor> parameters;
  for (const Tensor& t : in) parameters.push_back(trainable(t));
  const Tensor want = layer(parameters), seed = f32(want.shape(), 7);
  const std::vector<Tensor> expected = gradients(want, parameters, seed);
  const Autocast half(kBF16);
  const Tensor got = layer(parameters);
  EXPECT_EQ(got.dtype(), dtype);
  expect_near(got, want, 4 * kEps);
  const std::vector<Tensor> g = gradients(got, parameters, cast(seed, dtype));
  for (size_t i = 0; i < g.size(); ++i) {
    EXPECT_EQ(g[i].dtype(), kF32) << i;
    expect_near(g[i], expected[i], 8 * kEps);
  }
}

TEST(Autocast, RecurrentLayers) {
  const auto inputs = [](int64_t gates) {
    return std::vector<Tensor>{f32({7, 3, 5}), f32({6 * gates, 5}, 1), f32({6 * gates, 6}, 2),
                               f32({6 * gates}, 3), f32({6 * gates}, 4)};
  };
  using List = const std::vector<Tensor>&;
  expect_like_f32([](List t) { return lstm(t[0], t[1], t[2], t[3], t[4]).out; }, inputs(4), kF32);
  expect_like_f32([](List t) { return lstm(t[0], t[1], t[2], t[3], t[4]).c; }, inputs(4), kF32);
  expect_like_f32([](List t) { return gru(t[0], t[1], t[2], t[3], t[4]).out; }, inputs(3), kF32);
  expect_like_f32([](List t) { return rnn(t[0], t[1], t[2], t[3], t[4]).out; }, inputs(1), kF32);
}

TEST(Autocast, Attention) {
  expect_like_f32(
      [](const std::vector<Tensor>& t) {
        return scaled_dot_product_attention(t[0], t[1], t[2], {.is_causal = true});
      },
      {f32({2, 3, 17, 8}), f32({2, 3, 17, 8}, 1), f32({2, 3, 17, 8}, 2)}, kBF16);
}

// ---- Training ----

struct Mlp : nn::Module {
  nn::Linear fc1{20, 32}, fc2{32, 4};
  Tensor operator()(const Tensor& x) const { return fc2(relu(fc1(flatten(x, 1)))); }
  GLIA_FIELDS(fc1, fc2)
};
struct Cnn : nn::Module {
  nn::Conv2d conv1{2, 8, {.kernel = 3, .padding = 1}}, conv2{8, 8, {.kernel = 3, .padding = 1}};
  nn::BatchNorm2d norm1{8}, norm2{8};
  nn::Linear fc{8 * 3 * 3, 4};
  Tensor operator()(const Tensor& x) const {
    const Tensor h = relu(norm1(max_pool2d(conv1(x), 2)));
    return fc(flatten(max_pool2d(h + relu(norm2(conv2(h))), 2), 1));
  }
  GLIA_FIELDS(conv1, conv2, norm1, norm2, fc)
};

template <class Net>
std::vector<double> losses(const Tensor& x, const Tensor& labels, DType dtype) {
  manual_seed(3);
  Net net;
  optim::AdamW optimizer(net.parameters(), {.lr = 0.01});
  std::vector<double> all;
  for (int step = 0; step < 40; ++step) {
    const Autocast products(dtype);
    const Tensor loss = cross_entropy(net(x), labels);
    const std::vector<Tensor> g = gradients(loss, net.parameters());
    for (const Tensor& t : g) EXPECT_EQ(t.dtype(), kF32);
    optimizer.step(g);
    all.push_back(loss.item());
  }
  for (const Variable& p : net.parameters()) EXPECT_EQ(p.dtype(), kF32);
  return all;
}

// Images of four classes, each with its own pattern under noise.
template <class Net>
void expect_trains_alike(const Shape& image) {
  Shape shape{32}, patterns{4};
  for (int64_t size : image) shape.push_back(size), patterns.push_back(size);
  const Tensor labels = remainder(arange(32), 4);
  const Tensor x = f32(shape) * 0.5 + take(f32(patterns, 5), labels, 0);
  const std::vector<double> whole = losses<Net>(x, labels, kF32);
  const std::vector<double> half = losses<Net>(x, labels, kBF16);
  EXPECT_LT(whole.back(), 0.3 * whole.front());
  // On the way there, two runs that round differently part and meet again.
  EXPECT_NEAR(half.front(), whole.front(), 2 * kEps * whole.front());
  EXPECT_NEAR(half.back(), whole.back(), 2 * kEps * whole.front());
}

TEST(Autocast, Trains) {
  expect_trains_alike<Mlp>({20});
  expect_trains_alike<Cnn>({12, 12, 2});
}

}  // namespace
}  // namespace glia::test
