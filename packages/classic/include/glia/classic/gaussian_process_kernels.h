// Covariance functions of Gaussian processes (Rasmussen & Williams 2006, chapter 4), as values:
//
//   Kernel k = ConstantKernel(2) * RBF({1, 3}) + WhiteKernel(0.1);
//   const Tensor covariance = k(x);
//
// scikit-learn's names and defaults. Hyperparameters that are not fixed are theta, by their
// logarithms; those of a sum or product are its first part's, then its second's, each in the order
// of their names. x and y are (samples, features) of any float dtype; values are f64.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "glia/tensor.h"

namespace glia::classic {

// Where a fit may look for a hyperparameter. Fixed: it stays as it is.
struct KernelBounds {
  double low = 1e-5, high = 1e5;
  bool fixed = false;
};

namespace detail {
struct KernelNode;
}

class Kernel {
 public:
  // A number is a ConstantKernel.
  Kernel(double constant);

  // The covariances of all pairs of x and y, (samples of x, samples of y); of x with itself if y is
  // undefined, where alone a WhiteKernel is not 0. Throws ShapeError and ValueError for others.
  Tensor operator()(const Tensor& x, const Tensor& y = {}, Where where = Where::current()) const;
  // The variances of samples, (samples).
  Tensor diag(const Tensor& x, Where where = Where::current()) const;
  // k(x) and its derivatives by each number of theta, (samples, samples) each.
  struct Gradient {
    Tensor value;
    std::vector<Tensor> by_theta;
  };
  Gradient gradient(const Tensor& x, Where where = Where::current()) const;

  std::vector<double> theta() const;
  // The same kernel with other hyperparameters. Throws ValueError for another number of them.
  Kernel with_theta(const std::vector<double>& theta, Where where = Where::current()) const;
  // Logarithms of where each number of theta may be.
  std::vector<std::pair<double, double>> bounds() const;
  // "length_scale", or "k1__k2__alpha" in sums and products, of each number of theta.
  std::vector<std::string> names() const;
  bool is_stationary() const;

  // Private to the library.
  explicit Kernel(std::shared_ptr<const detail::KernelNode> node) : node_(std::move(node)) {}
  const detail::KernelNode& node() const { return *node_; }

 private:
  std::shared_ptr<const detail::KernelNode> node_;
};

Kernel operator+(const Kernel& a, const Kernel& b);
Kernel operator*(const Kernel& a, const Kernel& b);
// Every covariance to that power: of one that is not negative, unless the exponent is whole.
Kernel pow(const Kernel& kernel, double exponent);

// "1**2 * RBF(length_scale=1) + WhiteKernel(noise_level=0.1)", as scikit-learn prints it but with
// all digits, and with bounds where they are not the default; and back: throws ValueError for what
// it is not.
std::string to_text(const Kernel& kernel);
Kernel parse_kernel(std::string_view text, Where where = Where::current());

// Constructors throw ValueError for hyperparameters or bounds that are not above 0.

// A constant: the variance of what it is multiplied with, or an offset in a sum.
class ConstantKernel : public Kernel {
 public:
  explicit ConstantKernel(double constant_value = 1, const KernelBounds& constant_value_bounds = {},
                          Where where = Where::current());
};

// Noise of each sample for itself.
class WhiteKernel : public Kernel {
 public:
  explicit WhiteKernel(double noise_level = 1, const KernelBounds& noise_level_bounds = {},
                       Where where = Where::current());
};

// exp(-|x - y|^2 / (2 l^2)): smooth without end. One length for all features, or one for each.
class RBF : public Kernel {
 public:
  explicit RBF(const std::vector<double>& length_scale = {1},
               const KernelBounds& length_scale_bounds = {}, Where where = Where::current());
};

// Differentiable ceil(nu) - 1 times: exp(-r) of nu = 1/2, RBF of infinity; others than 1/2, 3/2,
// 5/2 and infinity need a Bessel function.
class Matern : public Kernel {
 public:
  explicit Matern(const std::vector<double>& length_scale = {1}, double nu = 1.5,
                  const KernelBounds& length_scale_bounds = {}, Where where = Where::current());
};

// (1 + |x - y|^2 / (2 alpha l^2))^-alpha: RBF of many lengths together.
class RationalQuadratic : public Kernel {
 public:
  explicit RationalQuadratic(double length_scale = 1, double alpha = 1,
                             const KernelBounds& length_scale_bounds = {},
                             const KernelBounds& alpha_bounds = {}, Where where = Where::current());
};

// exp(-2 sin^2(pi |x - y| / p) / l^2): what repeats.
class ExpSineSquared : public Kernel {
 public:
  explicit ExpSineSquared(double length_scale = 1, double periodicity = 1,
                          const KernelBounds& length_scale_bounds = {},
                          const KernelBounds& periodicity_bounds = {},
                          Where where = Where::current());
};

// sigma_0^2 + x.y: linear regression.
class DotProduct : public Kernel {
 public:
  explicit DotProduct(double sigma_0 = 1, const KernelBounds& sigma_0_bounds = {},
                      Where where = Where::current());
};

}  // namespace glia::classic
