// A small training run that is the same each time it is made, for tests of the training loop.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "glia/ops.h"
#include "glia/random.h"
#include "glia/train.h"
#include "tests/support/scratch.h"

namespace glia::training {

namespace fs = std::filesystem;

struct Net : nn::Module {
  nn::Linear fc1{4, 16}, fc2{16, 3};
  nn::Dropout drop{0.3};
  Tensor operator()(const Tensor& x) const { return fc2(drop(relu(fc1(x)))); }
  GLIA_FIELDS(fc1, fc2, drop)
};

// 100 points in three classes, noise added anew in each epoch.
inline data::Dataset<2> points() {
  data::Random random(7);
  std::vector<float> x(400);
  std::vector<int64_t> y(100);
  for (int i = 0; i < 100; ++i) {
    y[i] = random.below(3);
    for (int k = 0; k < 4; ++k)
      x[4 * i + k] = static_cast<float>(random.uniform()) + (k == y[i] ? 1.0f : 0.0f);
  }
  return data::from_tensors(from_vector(x, {100, 4}), from_vector(y, {100}));
}

// Everything that a run needs, the same each time it is made.
struct Experiment {
  explicit Experiment(int64_t epochs = 4, double lr = 0.01)
      : training(points().shuffle(1).batch(8).augment(
            2,
            [](data::Random& random, const Tensor& x, const Tensor& y) {
              return std::array{x + random.uniform() * 0.1, y};
            })),
        test(points().batch(30)),
        trainer(supervised((manual_seed(3), net), optimizer,
                           [this](const data::Sample& batch) -> Outcome {
                             const Tensor logits = net(batch[0]);
                             return {cross_entropy(logits, batch[1]),
                                     {{"accuracy", sum(argmax(logits) == batch[1])}}};
                           }),
                {.epochs = epochs, .note = "hello"}) {
    optimizer.set_schedule(optim::one_cycle(lr, epochs * 13));
  }
  void fit() { trainer.fit(training, &test); }
  std::vector<float> weights() const {
    std::vector<float> all;
    for (const auto& [name, tensor] : net.state_dict())
      for (const float w : tensor.to_vector<float>()) all.push_back(w);
    return all;
  }

  data::Dataset<2> training, test;
  Net net = (manual_seed(3), Net());
  optim::AdamW optimizer{net.parameters(), {.lr = 0.01}};
  Trainer trainer;
};

// Makes the named value of each epoch that of a list; first of the callbacks.
inline Callback overwrite(const std::string& name, const std::vector<double>& values) {
  return {.on_epoch = [=](Trainer& t) {
    Epoch& last = const_cast<Epoch&>(t.history().back());
    for (auto& [key, value] : last.values)
      if (key == name) value = values.at(last.epoch - 1);
  }};
}

using Training = test::Scratch;

}  // namespace glia::training
