// Linear regression by gradient descent: y = theta0 + theta1 x from 100 noisy samples, and what
// goes wrong in the program that is often shown for it,
//
//   X = np.random.rand(100, 1)
//   y = 3 * X.sum(axis=1) + np.random.rand(100, 1)
//   theta = np.random.rand(1, 1)
//   for _ in range(iterations):
//       y_pred = theta[0] * X
//       loss = (y_pred - y) ** 2
//       gradient = 2 * (y_pred - y) * X
//       theta -= learning_rate * gradient
//
// Summing an axis away leaves (100), which with noise of (100, 1) broadcasts to targets of
// (100, 100): each sample has the targets of all. So the error and the "gradient" are (100, 100)
// too, and cannot be taken off theta, which is (1, 1): NumPy throws a ValueError. The gradient of
// one number is one number: the mean over the samples. And noise between 0 and 1 has a mean of 1/2,
// which without an intercept goes into the slope: on average it is 3 + E[x]/2 / E[x^2] = 3.75.
#include <cmath>
#include <cstdio>

#include "glia/glia.h"
using namespace glia;

namespace {

// Moves theta, one number for each column of x (N, columns), down the mean squared error.
Tensor descend(const Tensor& x, const Tensor& y, double learning_rate, int iterations) {
  Tensor theta = uniform({x.size(1), 1}, 0, 1, kF64);
  for (int i = 0; i < iterations; ++i) {
    const Tensor error = matmul(x, theta) - y;  // (N, 1)
    const Tensor gradient =
        matmul(transpose(x), error) * (2.0 / static_cast<double>(x.size(0)));  // as theta
    theta = theta - learning_rate * gradient;
    eval(theta);
  }
  return theta;
}

}  // namespace

int main() {
  manual_seed(0);
  const Tensor x = uniform({100, 1}, 0, 1, kF64), noise = uniform({100, 1}, 0, 1, kF64);

  const Tensor broken = 3 * sum(x, {1}) + noise;
  std::printf("as it is shown, y is %s\n", broken.shape().str().c_str());
  try {
    const Tensor theta = uniform({1, 1}, 0, 1, kF64), prediction = theta * x;
    const Tensor gradient = 2 * (prediction - broken) * x;  // (100, 100)
    reshape(theta - 0.01 * gradient, theta.shape());        // where NumPy stores into theta
    return 1;
  } catch (const ShapeError& error) {
    std::printf("and cannot be learned from: %s\n", error.what());
  }

  const Tensor y = 3 * x + noise;
  const double slope = descend(x, y, 0.1, 5000).item();
  std::printf("without an intercept: theta1 = %.3f\n", slope);
  const Tensor with_ones = concat({ones({100, 1}, kF64), x}, 1);
  const Tensor theta = descend(with_ones, y, 0.1, 5000);
  const std::vector<double> found = theta.to_vector<double>();
  std::printf("with one: theta0 = %.3f, theta1 = %.3f\n", found[0], found[1]);

  // At the end the error is at right angles to each column: these are the normal equations.
  const Tensor rest = matmul(transpose(with_ones), y - matmul(with_ones, theta));
  const bool least = max(abs(rest)).item() < 1e-6;
  const bool near = std::abs(found[1] - 3) < 0.4 && std::abs(found[0] - 0.5) < 0.2;
  return least && near && slope > 3.5 ? 0 : 1;
}
