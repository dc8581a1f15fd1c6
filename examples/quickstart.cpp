#include <cstdio>

#include "glia/glia.h"
using namespace glia;

struct Net : nn::Module {
  nn::Linear hidden{2, 32}, out{32, 1};
  Tensor operator()(const Tensor& x) const { return out(tanh(hidden(x))); }  // (N, 2) -> (N, 1)
  GLIA_FIELDS(hidden, out)
};

int main() {
  Tensor x = uniform({256, 2}, -1, 1);
  Tensor y = sum(square(x), {1}, true);  // the squared length of each point: (256, 1)
  Net net;
  optim::Adam opt(net.parameters(), {.lr = 1e-2});
  for (int step = 0; step < 500; ++step) {
    Tensor loss = mse_loss(net(x), y);
    opt.step(gradients(loss, net.parameters()));  // one plan: forward, backward and update
    if (step % 100 == 0) std::printf("step %d: loss %.5f\n", step, loss.item());
  }
  return mse_loss(net(x), y).item() < 0.01 ? 0 : 1;
}
