// Glia's side of generative_steps.py: generative_steps MODEL STEPS prints the wall and processor
// milliseconds of a training step, the median of so many, behind a few that are not counted.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "glia/generative/dcgan.h"
#include "glia/generative/gan.h"
#include "glia/generative/unet.h"
#include "glia/generative/vae.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"

using namespace glia;
using namespace glia::generative;

namespace {

double processor_ms() {
  rusage u;
  getrusage(RUSAGE_SELF, &u);
  return 1e3 * double(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         1e-3 * double(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

void measure(int steps, const std::function<void()>& step) {
  std::vector<double> wall, processor;
  for (int i = -3; i < steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const double before = processor_ms();
    step();
    if (i < 0) continue;
    processor.push_back(processor_ms() - before);
    wall.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count());
  }
  for (auto* all : {&wall, &processor}) {
    std::sort(all->begin(), all->end());
    std::printf("%.4f ", (*all)[all->size() / 2]);
  }
}

}  // namespace

int main(int, char** argv) {
  const std::string model = argv[1];
  const int steps = std::atoi(argv[2]);
  manual_seed(0);
  if (model == "vae") {
    Vae net(dense_encoder({784}, {200, 200}, 100), dense_decoder(50, {200, 200}, {784}));
    optim::Adam optimizer(net.parameters(), {.lr = 1e-3});
    const Tensor x = cast(bernoulli({100, 784}, 0.3), kF32);
    eval(x);
    measure(steps, [&] { optimizer.step([&] { return net.loss(x).loss; }).item(); });
  } else if (model == "dcgan") {
    nn::Sequential generator = dcgan_generator(64), critic = dcgan_critic(1);
    Gan gan(std::move(generator), std::move(critic), {.noise = 64, .batch_size = 64});
    const Tensor x = uniform({64, 28, 28, 1}, -1, 1);
    eval(x);
    const training::Task task = gan.task([&](int64_t) { return x; });
    measure(steps, [&] {
      for (const training::Metric& m : task.step({})) m.sum.tensor().item();
    });
  } else {
    UNet net({.classes = 10});
    const Diffusion diffusion;
    optim::Adam optimizer(net.parameters(), {.lr = 1e-3});
    const Tensor x = uniform({32, 28, 28, 1}, -1, 1), labels = randint(0, 10, {32});
    eval({x, labels});
    measure(steps,
            [&] { optimizer.step([&] { return diffusion.loss(guided(net, labels), x); }).item(); });
  }
}
