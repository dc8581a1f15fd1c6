#include "components.h"

#include <cmath>
#include <numbers>
#include <string>

#include "checks.h"
#include "glia/linalg.h"
#include "glia/ops.h"

namespace glia::classic {
namespace {

// Standard deviations to divide by: 1 where there is none.
Tensor deviations(const Tensor& variance) { return where(variance > 0, sqrt(variance), 1); }

}  // namespace

Tensor to_components(const Tensor& x, const Tensor& mean, const Tensor& components,
                     const Tensor& variance) {
  const Autocast full_precision(kF32);
  const Tensor across =
      transpose(variance.defined() ? components / unsqueeze(deviations(variance), 1) : components);
  if (x.requires_grad() || components.requires_grad()) return matmul(x - mean, across);
  std::vector<Tensor> parts;
  for_row_blocks(x, [&](const Tensor& rows) {
    parts.push_back(matmul(rows - mean, across));
    eval(parts.back());
  });
  return parts.size() == 1 ? parts[0] : concat(parts, 0);
}

Tensor from_components(std::string_view op, const Tensor& y, const Tensor& mean,
                       const Tensor& components, const Tensor& variance, Where where) {
  const Autocast full_precision(kF32);
  require_fitted(op, components.defined(), where);
  Tensor given = check_x(op, y, where);
  if (given.size(1) != components.size(0))
    throw ShapeError(std::string(op) + ": X has " + std::to_string(given.size(1)) +
                         " columns for " + std::to_string(components.size(0)) + " components",
                     where);
  if (variance.defined()) given = given * deviations(variance);
  return matmul(given, components) + mean;
}

Tensor gaussian_log_density(const Tensor& rest, const Tensor& covariance) {
  const auto d = static_cast<double>(rest.size(1));
  const Tensor solved = linalg::solve(covariance, transpose(rest));
  return -0.5 * (sum(rest * transpose(solved), {1}) + d * std::log(2 * std::numbers::pi) +
                 linalg::slogdet(covariance).logabsdet);
}

}  // namespace glia::classic
