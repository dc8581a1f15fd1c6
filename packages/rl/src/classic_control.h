// Gymnasium's classic control, and the arithmetic of NumPy's scalars that it does.
#pragma once

#include <cmath>
#include <memory>

#include "glia/rl/env.h"

namespace glia::rl {

std::unique_ptr<Env> make_cart_pole();
std::unique_ptr<Env> make_mountain_car();
std::unique_ptr<Env> make_mountain_car_continuous();
std::unique_ptr<Env> make_acrobot();
std::unique_ptr<Env> make_pendulum();

inline constexpr double kPi = 3.141592653589793;

// x ** 2 of Python and of a NumPy scalar: pow of the C library, which is not x * x in one of a
// thousand cases. Compilers make it x * x if they see the 2.
template <class T>
T power2(T x) {
  const volatile T two = 2;
  return std::pow(x, two);
}

inline double uniform(data::Random& random, double low, double high) {
  return low + (high - low) * random.uniform();
}

}  // namespace glia::rl
