// PyTorch's other optimizers and its schedules, against numbers that it computed.
#include "glia/optim/adaptive.h"

#include <gtest/gtest.h>

#include <vector>

#include "glia/ops.h"
#include "glia/optim/lr_schedules.h"

namespace glia::optim {
namespace {

// 100 steps of three numbers by gradients that change with the step, in f64.
template <class O, class Options>
void compare(const Options& options, const std::vector<double>& wanted) {
  const Parameter p(tensor({0.5, -1.25, 2.0}));
  ParameterList list;
  list.push_back(p);
  O optimizer(list, options);
  for (int i = 0; i < 100; ++i) optimizer.step({0.7 * p + sin(3.0 * i + p)});
  const std::vector<double> got = p.tensor().to_vector<double>();
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(got[i], wanted[i], 1e-13) << optimizer.steps();
}

TEST(AdaptiveOptimizers, AreThoseOfPyTorch) {
  compare<NAdam>(NAdamOptions{}, {0.4144264941074621, -1.110010434397428, 1.8351857192989922});
  compare<NAdam>(NAdamOptions{.weight_decay = 0.1, .decoupled_weight_decay = true},
                 {0.4060703590719594, -1.0875483067245328, 1.7980696464642552});
  compare<RAdam>(RAdamOptions{}, {0.49128829579044925, -1.2338252717174703, 1.9796342442128108});
  compare<RAdam>(RAdamOptions{.weight_decay = 0.1, .maximize = true},
                 {0.5078300326493479, -1.2649560836397598, 2.0189942059037453});
  compare<Adamax>(AdamaxOptions{.weight_decay = 0.1},
                  {0.4391134007233552, -1.149032003661132, 1.8755887818082209});
  compare<Adadelta>(AdadeltaOptions{}, {0.3727805532128938, -1.0647136595754, 1.7574480845526521});
  compare<RMSprop>(RMSpropOptions{},
                   {0.04874315088580558, -0.31784069531753606, 0.6818953043505476});
  compare<RMSprop>(RMSpropOptions{.momentum = 0.9, .centered = true},
                   {0.0007272453793249325, -0.004144911584524239, -0.008595339139262465});
  compare<Rprop>(RpropOptions{}, {0.3755283365200006, -1.0641864373601093, 0.6838809822687645});
}

TEST(AdaptiveOptimizers, LionStepsByTheSignOfItsMomentum) {
  const Parameter p(tensor({1.0, -2.0}));
  ParameterList list;
  list.push_back(p);
  Lion lion(list, {.lr = 0.1, .weight_decay = 0.5});
  lion.step({tensor({3.0, -1.0})});
  const std::vector<double> got = p.tensor().to_vector<double>();
  EXPECT_NEAR(got[0], 0.85, 1e-15);
  EXPECT_NEAR(got[1], -1.8, 1e-15);
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
