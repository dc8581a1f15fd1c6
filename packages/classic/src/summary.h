// Tests of coefficients, and how they are printed.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "glia/tensor.h"

namespace glia::classic {

struct Inference {
  Tensor params, bse, tvalues, pvalues;  // (K)
};
// By their covariance (K, K), with Student's t or the normal distribution.
Inference infer(const Tensor& params, const Tensor& cov, bool use_t, double df_resid);

// The quantile of 1 - alpha / 2. Throws ValueError unless 0 < alpha < 1.
double two_sided_quantile(double alpha, bool use_t, double df_resid, Where where);
// (K, 2).
Tensor confidence_intervals(const Tensor& params, const Tensor& bse, double alpha, bool use_t,
                            double df_resid, Where where);

// `names`, or const, x1, x2, ... if it is empty. Throws ValueError for another number of names.
std::vector<std::string> parameter_names(const std::vector<std::string>& names, int64_t count,
                                         bool constant, Where where);

// A title, facts in two columns, and a line for each coefficient.
std::string summary_page(const std::string& title,
                         const std::vector<std::pair<std::string, double>>& facts,
                         const std::string& note, const Inference& coefficients,
                         const Tensor& intervals, bool use_t, double alpha,
                         const std::vector<std::string>& names);

}  // namespace glia::classic
