// Finds the line through points by gradient descent.
#include <cmath>
#include <cstdio>

#include "glia/glia.h"
using namespace glia;

int main() {
  const Tensor x = uniform({64, 1}, -1, 1), y = 3 * x - 2;
  nn::Linear line(1, 1);
  optim::SGD opt(line.parameters(), {.lr = 0.5});
  for (int step = 0; step < 100; ++step)
    opt.step(gradients(mse_loss(line(x), y), line.parameters()));
  const Tensor error = line(tensor({{10.f}})) - 28;
  std::printf("%s: off by %.4f at 10\n", version(), error.item());
  return std::abs(error.item()) < 0.01 ? 0 : 1;
}
