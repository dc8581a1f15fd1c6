// Gradient clipping.
#include <cmath>
#include <string>

#include "glia/ops.h"
#include "glia/optim.h"
#include "ops/rows.h"

namespace glia::optim {
namespace {

// f on each gradient that there is.
template <class F>
std::vector<Tensor> map(const std::vector<Tensor>& gradients, F&& f) {
  std::vector<Tensor> out;
  out.reserve(gradients.size());
  for (const Tensor& g : gradients) out.push_back(g.defined() ? f(g) : g);
  return out;
}

Tensor total_norm(const std::vector<Tensor>& gradients, double norm_type) {
  const bool largest = std::isinf(norm_type);
  std::vector<Tensor> parts;
  for (const Tensor& given : gradients) {
    if (!given.defined()) continue;
    const auto rows = row_sparse(given);
    const Tensor g = rows ? rows_of(*rows) : given;
    parts.push_back(largest          ? max(abs(g))
                    : norm_type == 2 ? sum(square(g))
                                     : sum(pow(abs(g), norm_type)));
  }
  if (parts.empty()) return zeros({});
  const Tensor all = stack(parts);
  if (largest) return max(all);
  return norm_type == 2 ? sqrt(sum(all)) : pow(sum(all), 1 / norm_type);
}

}  // namespace

ClippedGradients clip_grad_norm(const std::vector<Tensor>& gradients, double max_norm,
                                double norm_type) {
  if (!(max_norm >= 0 && norm_type > 0))
    throw ValueError("clip_grad_norm: max_norm " + std::to_string(max_norm) + ", norm_type " +
                     std::to_string(norm_type));
  const Tensor norm = total_norm(gradients, norm_type);
  const Tensor factor = minimum(max_norm / (norm + 1e-6), 1);
  return {map(gradients,
              [&](const Tensor& g) {
                const Tensor f = cast(factor, g.dtype());
                const auto rows = row_sparse(g);
                return rows ? scale_rows(*rows, f) : g * f;
              }),
          norm};
}

std::vector<Tensor> clip_grad_value(const std::vector<Tensor>& gradients, double clip_value) {
  if (!(clip_value >= 0))
    throw ValueError("clip_grad_value: " + std::to_string(clip_value) + " is negative");
  const auto clip = [&](const Tensor& g) { return clamp(g, -clip_value, clip_value); };
  return map(gradients, [&](const Tensor& g) {
    const auto rows = row_sparse(g);
    return rows ? map_rows(*rows, clip) : clip(g);
  });
}

}  // namespace glia::optim
