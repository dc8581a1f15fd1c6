// Gradient clipping, centralisation, penalties and constraints.
#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string>

#include "glia/ops.h"
#include "glia/ops/reduce.h"
#include "glia/optim.h"
#include "ops/autocast.h"
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

// Which gradient it is because of that the norm is not finite.
[[noreturn]] void refuse(const std::vector<Tensor>& gradients, double norm,
                         const std::vector<std::string>& names) {
  const std::string fault = fmt::format("clip_grad_norm: the norm of the gradients is {}: ", norm);
  for (size_t i = 0; i < gradients.size(); ++i) {
    const Tensor& g = gradients[i];
    if (!g.defined() || all(isfinite(g)).item<bool>()) continue;
    throw ValueError(fmt::format("{}gradient {} {} is not finite", fault,
                                 names.empty() ? std::to_string(i) : names[i], g.shape().str()));
  }
  throw ValueError(fault + "all are finite, and too large");
}

void require_lambda(const char* name, double lambda) {
  if (!(lambda >= 0 && std::isfinite(lambda)))
    throw ValueError(fmt::format("{}: lambda = {} is out of range", name, lambda));
}

// Sums over each parameter by f, added up.
template <class F>
Tensor total(const ParameterList& parameters, F&& f) {
  Tensor out;
  for (const Variable& p : parameters) {
    const Tensor part = f(p.tensor());
    out = out.defined() ? out + part : part;
  }
  return out.defined() ? out : zeros({});
}

}  // namespace

ClippedGradients clip_grad_norm(const std::vector<Tensor>& gradients, double max_norm,
                                double norm_type, bool error_if_nonfinite,
                                const std::vector<std::string>& names) {
  if (!names.empty() && names.size() != gradients.size())
    throw ValueError(
        fmt::format("clip_grad_norm: {} names for {} gradients", names.size(), gradients.size()));
  if (!(max_norm >= 0) || std::isnan(norm_type))
    throw ValueError("clip_grad_norm: max_norm " + std::to_string(max_norm) + ", norm_type " +
                     std::to_string(norm_type));
  const Tensor norm = total_norm(gradients, norm_type);
  if (error_if_nonfinite && !std::isfinite(norm.item())) refuse(gradients, norm.item(), names);
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

std::vector<Tensor> centralize_gradients(const std::vector<Tensor>& gradients) {
  const auto centred = [](const Tensor& g) {
    if (g.rank() < 2 || g.numel() == 0) return g;
    Axes axes;
    for (int i = 1; i < g.rank(); ++i) axes.push_back(i);
    return g - mean(g, axes, true);
  };
  return map(gradients, [&](const Tensor& g) {
    const auto rows = row_sparse(g);
    return rows ? map_rows(*rows, centred) : centred(g);
  });
}

Tensor l1_penalty(const ParameterList& parameters, double lambda) {
  require_lambda("l1_penalty", lambda);
  return lambda * total(parameters, [](const Tensor& p) { return sum(abs(p)); });
}

Tensor l2_penalty(const ParameterList& parameters, double lambda) {
  require_lambda("l2_penalty", lambda);
  return lambda * total(parameters, [](const Tensor& p) { return sum(square(p)); });
}

void constrain_max_norm(const ParameterList& parameters, double max_norm, int axis, Where where) {
  if (!(max_norm >= 0))
    throw ValueError(fmt::format("constrain_max_norm: max_norm = {} is out of range", max_norm));
  const NoGrad off;
  std::vector<Tensor> values;
  for (const Variable& p : parameters) {
    const Tensor value = p.tensor(where);
    values.push_back(value.rank() < 2 ? Tensor() : renorm(value, 2, axis, max_norm, where));
  }
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i].defined()) parameters[i].set(values[i], where);
  forget_cast_parameters();
}

}  // namespace glia::optim
