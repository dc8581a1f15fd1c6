// Weights and features that know less of groups.
#include "glia/classic/linear_model.h"
#include "glia/fairness/mitigation.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "groups.h"

namespace glia::fairness {
namespace {

Tensor as_columns(const char* op, const Tensor& x, Where where) {
  require_defined(op, x, where);
  if (x.rank() < 1 || x.rank() > 2) fail(op, "features are (N, F), not " + x.shape().str(), where);
  return cast(x.rank() == 1 ? unsqueeze(x, 1) : x, kF64);
}

}  // namespace

Tensor reweighing(const Tensor& y, const Tensor& sensitive_features, Where where) {
  constexpr const char* kOp = "reweighing";
  require_defined(kOp, y, where);
  const int64_t n = y.rank() > 0 ? y.size(0) : 0;
  const auto classes = zeros_and_ones(kOp, "y", y, n, where);
  const Grouped groups = grouped(kOp, sensitive_features, n, true, where);
  std::vector<double> of_group(groups.combinations.size(), 0), of_both(of_group.size() * 2, 0);
  double of_class[2] = {};
  for (size_t i = 0; i < classes.size(); ++i) {
    const auto g = static_cast<size_t>(groups.of[i]), c = static_cast<size_t>(classes[i]);
    ++of_group[g];
    ++of_class[c];
    ++of_both[2 * g + c];
  }
  std::vector<double> weight;
  for (size_t i = 0; i < classes.size(); ++i) {
    const auto g = static_cast<size_t>(groups.of[i]), c = static_cast<size_t>(classes[i]);
    weight.push_back(of_group[g] * of_class[c] / (static_cast<double>(n) * of_both[2 * g + c]));
  }
  return from_vector(weight, {n});
}

CorrelationRemover& CorrelationRemover::fit(const Tensor& x, const Tensor& sensitive_features,
                                            Where where) {
  const Tensor features = as_columns("CorrelationRemover.fit", x, where),
               sensitive = as_columns("CorrelationRemover.fit", sensitive_features, where);
  if (sensitive.size(0) != features.size(0) || features.size(0) == 0)
    fail("CorrelationRemover.fit",
         "X " + x.shape().str() + " and sensitive features " + sensitive_features.shape().str(),
         where);
  const Tensor middle = mean(sensitive, {0});
  classic::LinearRegression line({.fit_intercept = false});
  line.fit(sensitive - middle, features);
  sensitive_mean = middle;
  beta = transpose(reshape(line.coef, {features.size(1), sensitive.size(1)}));
  return *this;
}

Tensor CorrelationRemover::transform(const Tensor& x, const Tensor& sensitive_features,
                                     Where where) const {
  constexpr const char* kOp = "CorrelationRemover.transform";
  if (!beta.defined()) throw Error(std::string(kOp) + ": it is not fitted; call fit first", where);
  const Tensor features = as_columns(kOp, x, where),
               sensitive = as_columns(kOp, sensitive_features, where);
  if (features.size(1) != beta.size(1) || sensitive.size(1) != beta.size(0) ||
      sensitive.size(0) != features.size(0))
    fail(kOp,
         "X " + x.shape().str() + " and sensitive features " + sensitive_features.shape().str(),
         where);
  return features - alpha_ * matmul(sensitive - sensitive_mean, beta);
}

}  // namespace glia::fairness
