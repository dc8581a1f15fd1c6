// Gradient clipping.
#include <cmath>
#include <optional>
#include <string>

#include "glia/ops.h"
#include "glia/optim.h"
#include "ops/private.h"
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

// What a gradient adds to the norm, and the norm of what all have added. Of order 0, as in PyTorch:
// how many gradients are not all zeros.
Tensor part_of_norm(const Tensor& x, double p) {
  if (std::isinf(p)) return p > 0 ? max(abs(x)) : min(abs(x));
  if (p == 0) return cast(any(x), x.dtype());
  return p == 2 ? sum(square(x)) : sum(pow(abs(x), p));
}
Tensor norm_of_parts(const Tensor& parts, double p) {
  if (std::isinf(p)) return p > 0 ? max(parts) : min(parts);
  const Tensor total = sum(parts);
  if (p == 0) return total;
  return p == 2 ? sqrt(total) : pow(total, 1 / p);
}

// In f32 at least: squares of 16-bit floats are soon out of their range.
Tensor total_norm(const std::vector<Tensor>& gradients, double norm_type) {
  std::vector<Tensor> parts;
  for (const Tensor& g : gradients) {
    if (!g.defined() || g.numel() == 0) continue;
    // Rows that are not there are zeros, which some norms see.
    const auto rows = norm_type >= 0 ? row_sparse(g) : std::nullopt;
    const Tensor x = rows ? rows_of(*rows) : g;
    parts.push_back(part_of_norm(cast(x, sum_dtype(x.dtype())), norm_type));
  }
  return parts.empty() ? zeros({}) : norm_of_parts(stack(parts), norm_type);
}

// g * factor, rounded once.
Tensor scaled(const Tensor& g, const Tensor& factor) {
  return cast(g * cast(factor, sum_dtype(g.dtype())), g.dtype());
}

}  // namespace

ClippedGradients clip_grad_norm(const std::vector<Tensor>& gradients, double max_norm,
                                double norm_type, bool error_if_nonfinite) {
  if (!(max_norm >= 0) || std::isnan(norm_type))
    throw ValueError("clip_grad_norm: max_norm " + std::to_string(max_norm) + ", norm_type " +
                     std::to_string(norm_type));
  const Tensor norm = total_norm(gradients, norm_type);
  if (error_if_nonfinite && !std::isfinite(norm.item()))
    throw ValueError("clip_grad_norm: the norm of the gradients is " + std::to_string(norm.item()));
  const Tensor factor = minimum(max_norm / (norm + 1e-6), 1);
  return {map(gradients,
              [&](const Tensor& g) {
                const auto rows = row_sparse(g);
                return rows ? scale_rows(*rows, cast(factor, g.dtype())) : scaled(g, factor);
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
