// What the linear models share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "checks.h"
#include "glia/classic/linear_base.h"

namespace glia::classic {

// Sparse X in f64; n_features_in is what fit() saw, or -1. Throws ShapeError and ValueError as for
// dense ones.
Csr check_x(std::string_view op, const Csr& x, int64_t n_features_in, Where where);

// The arguments of a regressor's fit(), checked, in f64.
struct Regression {
  Tensor x;       // (samples, features)
  Tensor y;       // (samples, outputs)
  Tensor weight;  // (samples); undefined: 1 each
  bool flat;      // y was (samples)
};
Regression check_regression(std::string_view op, const Tensor& x, const Tensor& y,
                            const Tensor& sample_weight, Where where);

// X and y without their weighted means, if there is an intercept, and times the roots of weights.
struct Centred {
  Tensor x, y;            // (samples, features), (samples, outputs)
  Tensor x_mean, y_mean;  // (features), (outputs); zeros without an intercept
};
Centred centred(const Regression& r, bool fit_intercept);

// The intercepts (outputs) that go with coefficients (outputs, features) of what was centred.
Tensor intercepts(const Centred& c, const Tensor& coef);

// X of A X = B by Cholesky. Throws ValueError where A is not positive definite, or so nearly not
// that no digit would be right.
Tensor solve_definite(const Tensor& a, const Tensor& b);

// Rows without those of weight 0, weights scaled to a mean of 1.
Regression weighted_rows(const Regression& r);

// Sets coefficients (outputs, features) and intercepts (outputs). Throws ValueError, and sets
// nothing, unless they are finite.
void set_linear(std::string_view op, LinearRegressor& model, const Tensor& coef,
                const Tensor& intercept, bool flat, int64_t n_features, Where where);

// Each sample's weight: its own times that of its class, which is n / (classes count) if `balanced`
// (counted by the samples' weights), else `class_weight` in the order of the classes, or 1.
std::vector<double> class_sample_weights(std::string_view op, const ClassTargets& targets,
                                         const Tensor& sample_weight, int64_t samples,
                                         bool balanced, const std::vector<double>& class_weight,
                                         Where where);

// Throws ValueError unless the probabilities of classes are none, or not negative and 1 in all.
void check_priors(std::string_view op, const char* option, const std::vector<double>& priors,
                  int64_t classes, Where where);

// Throws ValueError, which names op and option, unless `right`.
void require_option(bool right, std::string_view op, std::string_view option, double value,
                    Where where);

// An option that is a list of numbers, by its text: "0.1,1,10".
Param list_param(std::string name, std::vector<double>* at);
Param list_param(std::string name, std::vector<int64_t>* at);

// The largest |x|; 0 of none.
double largest(const std::vector<double>& x);

}  // namespace glia::classic
