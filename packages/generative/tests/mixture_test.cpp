// Mixtures: where their samples lie, and what is said of others.
#include "glia/generative/mixture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/random.h"

namespace glia::generative {
namespace {

TEST(Mixture, CoversItself) {
  manual_seed(1);
  for (const Mixture& mixture : {ring_of_gaussians(), grid_of_gaussians()}) {
    const Tensor samples = mixture.sample(20000);
    EXPECT_EQ(samples.shape(), (Shape{20000, 2}));
    const Coverage found = coverage(mixture, samples);
    EXPECT_EQ(found.modes, mixture.size());
    EXPECT_EQ(found.samples, 20000);
    // A distance of at most three deviations, in the plane: 1 - exp(-9 / 2).
    EXPECT_NEAR(found.good_samples, 1 - std::exp(-4.5), 0.002);
    EXPECT_NEAR(mean(square(samples)).item(), 1, 0.05) << "a variance near 1";
  }
  EXPECT_EQ(ring_of_gaussians().size(), 8);
  EXPECT_EQ(grid_of_gaussians().size(), 25);
}

TEST(Coverage, CountsModesAndGoodSamples) {
  const Mixture two{tensor({0.0, 0.0, 10.0, 0.0}), 1};
  const Mixture mixture{reshape(two.centres, {2, 2}), 1};
  const Tensor samples = reshape(tensor({0.0, 2.9, 0.0, 3.1, 5.0, 5.0, -1.0, 0.0}), {4, 2});
  const Coverage found = coverage(mixture, samples);
  EXPECT_EQ(found.modes, 1);
  EXPECT_EQ(found.good_samples, 0.5);
  // What is near to two counts once; what is no number is near to nothing.
  const Mixture near{reshape(tensor({0.0, 0.0, 1.0, 0.0}), {2, 2}), 1};
  EXPECT_EQ(coverage(near, reshape(tensor({0.5, 0.0}), {1, 2})).good_samples, 1);
  EXPECT_EQ(coverage(near, reshape(tensor({0.5, 0.0}), {1, 2})).modes, 2);
  EXPECT_EQ(coverage(near, full({3, 2}, NAN)).good_samples, 0);
  EXPECT_EQ(coverage(near, zeros({0, 2})).good_samples, 0);
  EXPECT_THROW(coverage(near, zeros({3})), ShapeError);
  EXPECT_THROW(coverage(near, zeros({3, 3})), ShapeError);
}

}  // namespace
}  // namespace glia::generative
