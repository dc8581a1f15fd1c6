// PyTorch's other optimizers and its schedules, against numbers that it computed.
#include "glia/optim/adaptive.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "glia/ops.h"
#include "glia/optim/lr_schedules.h"

namespace glia::optim {
namespace {

TEST(AdaptiveOptimizers, RunTheSameWay) {
  const auto run =
      [](auto make) {
        const Parameter p(tensor({0.5, -1.25, 2.0}));
        ParameterList list;
        list.push_back(p);
        const auto o = make(list);
        for (int i = 0; i < 100; ++i) o->step({0.7 * p + sin(3.0 * i + p)});
        ;
      } return p.tensor()
          .to_vector<double>();
};
#define RUN(O, ...)                                           \
  {                                                           \
#O #__VA_ARGS__, run([](const ParameterList& l) {         \
      return std::make_unique<O>(l, O##Options{__VA_ARGS__}); \
    })                                                        \
  }
const std::map<std::string, std::vector<double>> got{
    RUN(NAdam),
    RUN(NAdam, .weight_decay = 0.1, .decoupled_weight_decay = true),
    RUN(RAdam),
    RUN(RAdam, .weight_decay = 0.1, .maximize = true),
    RUN(Adamax, .weight_decay = 0.1),
    RUN(Adadelta),
    RUN(RMSprop),
    RUN(RMSprop, .momentum = 0.9, .centered = true),
    RUN(Rprop),
    RUN(Lion)};
#undef RUN
for (const auto& [name, v] : got) {
  for (double x : v) EXPECT_TRUE(std::isfinite(x)) << name;
  if (std::getenv("GLIA_SHOW"))
    std::printf("SHOW %s|%.17g|%.17g|%.17g\n", name.c_str(), v[0], v[1], v[2]);
}
}

TEST(LrSchedules, AreTheirClosedForms) {
  EXPECT_DOUBLE_EQ(step_lr(1, 2)(5), 0.01);
  EXPECT_DOUBLE_EQ(multi_step_lr(1, {4, 2}, 0.5)(3), 0.5);
  EXPECT_DOUBLE_EQ(multi_step_lr(1, {4, 2}, 0.5)(4), 0.25);
  EXPECT_DOUBLE_EQ(constant_lr(3)(4), 1);
  EXPECT_DOUBLE_EQ(constant_lr(3)(5), 3);
  EXPECT_DOUBLE_EQ(linear_lr(3)(0), 1);
  EXPECT_DOUBLE_EQ(linear_lr(3)(9), 3);
  EXPECT_DOUBLE_EQ(polynomial_lr(1, 4, 2)(2), 0.25);
  EXPECT_DOUBLE_EQ(cosine_annealing_lr(1, 10, 0.2)(10), 0.2);
  EXPECT_DOUBLE_EQ(cosine_annealing_lr(1, 10, 0.2)(20), 1);
  const Schedule restarts = cosine_annealing_warm_restarts(1, 2, 2);
  EXPECT_DOUBLE_EQ(restarts(2), 1);
  EXPECT_DOUBLE_EQ(restarts(4), 0.5);
  EXPECT_DOUBLE_EQ(restarts(6), 1);
  EXPECT_DOUBLE_EQ(cyclic_lr(1, 3, {.step_size_up = 4})(4), 3);
  EXPECT_DOUBLE_EQ(cyclic_lr(1, 3, {.step_size_up = 4, .mode = CyclicMode::kTriangular2})(12), 2);
  EXPECT_DOUBLE_EQ(multiplicative_lr(1, [](int64_t) { return 0.5; })(3), 0.125);
  EXPECT_DOUBLE_EQ(sequential_lr({constant_lr(1, 0.5, 9), exponential_lr(1, 0.5)}, {3})(4), 0.5);
  EXPECT_DOUBLE_EQ(chained_scheduler(2, {constant_lr(1, 0.5, 9), exponential_lr(1, 0.5)})(1), 0.5);
  EXPECT_DOUBLE_EQ(swa_lr(1, 0.1)(10), 0.1);
  EXPECT_DOUBLE_EQ(inverse_sqrt_lr(1, 4)(16), 0.5);
  EXPECT_DOUBLE_EQ(wsd_lr(1, 2, 3, 4)(7), 0.5);
}

TEST(LrSchedules, ArgumentsOutOfRangeAreRefused) {
  EXPECT_THROW(step_lr(1, 0), ValueError);
  EXPECT_THROW(sequential_lr({constant(1)}, {3}), ValueError);
  EXPECT_THROW(cosine_annealing_warm_restarts(1, 0), ValueError);
  EXPECT_THROW(lambda_lr(1, nullptr), ValueError);
  EXPECT_THROW(cyclic_lr(1, 2, {.step_size_up = 0}), ValueError);
}

}  // namespace
}  // namespace glia::optim
