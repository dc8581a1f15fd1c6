// The operation that makes NaN is named, on the line that recorded it.
#include <gtest/gtest.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/optim.h"

namespace glia {
namespace {

struct Net : nn::Module {
  nn::Linear first{3, 4}, second{4, 2};
  Tensor operator()(const Tensor& x) const { return log(second(relu(first(x))) - 100); }
  GLIA_FIELDS(first, second)
};

std::string fault(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(AnomalyMode, NamesTheOperationTheLineAndTheParameter) {
  const Net net;
  const Tensor x = ones({5, 3});
  const AnomalyMode on(net);
  const std::string what = fault([&] { net(x); });
  EXPECT_NE(what.find("log of (5, 2) makes NaN"), std::string::npos) << what;
  EXPECT_NE(what.find("second."), std::string::npos) << what;
  EXPECT_NE(what.find("anomaly_test.cpp:16"), std::string::npos) << what;
}

TEST(AnomalyMode, FindsNaNOfAGradient) {
  const Tensor x = trainable(tensor({0.0f, 4.0f}));
  const AnomalyMode on;
  const Tensor y = sum(where(x > 0, sqrt(x), 0));  // the value is right, the slope is 0 * inf
  const std::string what = fault([&] { gradients(y, {x}); });
  EXPECT_NE(what.find("makes NaN"), std::string::npos) << what;
  EXPECT_NE(what.find("in a gradient"), std::string::npos) << what;
}

TEST(AnomalyMode, LetsPassWhatIsRightAndWhatWasNaNBefore) {
  nn::Sequential net(nn::Linear(3, 8), nn::LayerNorm({8}), nn::GELU(), nn::Dropout(0.5),
                     nn::Linear(8, 2));
  optim::Adam opt(net.parameters());
  const AnomalyMode on(net);
  for (int i = 0; i < 3; ++i)
    opt.step(gradients(mean(square(net(ones({4, 3})))), net.parameters()));
  EXPECT_EQ(fault([] { eval(full({3}, NAN) + 1); }), "");
  EXPECT_EQ(fault([] { eval(softmax(where(eye(3) > 0, ones({3, 3}), -INFINITY), -1)); }), "");
}

TEST(AnomalyMode, EndsWithItsScope) {
  { const AnomalyMode on; }
  EXPECT_EQ(fault([] { eval(log(tensor({-1.0f}))); }), "");
  const AnomalyMode outer;
  { const AnomalyMode inner; }
  EXPECT_NE(fault([] { log(tensor({-1.0f})); }), "");
}

}  // namespace
}  // namespace glia
