// Loss scaling.
#include "glia/optim/grad_scaler.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <map>

#include "glia/ops.h"
#include "ops/private.h"

namespace glia::optim {
namespace {

void check(const GradScalerOptions& o) {
  const auto require = [](bool holds, const char* name, double value) {
    if (!holds) throw ValueError(fmt::format("GradScaler: {} = {} is out of range", name, value));
  };
  require(o.init_scale > 0 && std::isfinite(o.init_scale), "init_scale", o.init_scale);
  require(o.growth_factor > 1 && std::isfinite(o.growth_factor), "growth_factor", o.growth_factor);
  require(o.backoff_factor > 0 && o.backoff_factor < 1, "backoff_factor", o.backoff_factor);
  require(o.growth_interval > 0, "growth_interval", static_cast<double>(o.growth_interval));
}

}  // namespace

GradScaler::GradScaler(const GradScalerOptions& options)
    : options_(options), scale_(options.init_scale) {
  check(options);
}

Tensor GradScaler::scale(const Tensor& loss, Where where) const {
  if (!is_float(loss.dtype()))
    throw ShapeError(fmt::format("GradScaler: the loss is {}", name(loss.dtype())), where);
  if (!options_.enabled) return loss;
  return cast(Operand(loss, where), sum_dtype(loss.dtype())) * scale_;
}

std::vector<Tensor> GradScaler::unscale(const std::vector<Tensor>& gradients, Where where) const {
  if (!options_.enabled) return gradients;
  const NoGrad off;
  std::vector<Tensor> out;
  out.reserve(gradients.size());
  for (const Tensor& g : gradients) {
    if (!g.defined()) {
      out.emplace_back();
      continue;
    }
    const Tensor x = cast(Operand(g, where), sum_dtype(g.dtype()));
    out.push_back(cast(x * (1 / scale_) + (x - x), g.dtype()));
  }
  return out;
}

bool GradScaler::step(Optimizer& optimizer, std::vector<Tensor> gradients, Where where) {
  if (optimizer.needs_loss()) throw Error("GradScaler: the optimizer needs the loss itself", where);
  if (!options_.enabled) {
    optimizer.step(std::move(gradients), where);
    return true;
  }
  bool finite = true;
  {
    const NoGrad off;
    std::vector<Tensor> flags, wanted;
    for (const Tensor& g : gradients) {
      if (!g.defined()) continue;
      wanted.push_back(g);
      flags.push_back(all(isfinite(g)));
    }
    if (!flags.empty()) {
      wanted.push_back(all(stack(flags)));
      eval(wanted, where);
      finite = wanted.back().item<bool>();
    }
  }
  if (finite) optimizer.step(std::move(gradients), where);
  stepped_ = true;
  found_ |= !finite;
  return finite;
}

void GradScaler::update() {
  if (!options_.enabled) return;
  if (!stepped_) throw Error("GradScaler: update() without a step before it");
  const bool shrinks = std::exchange(found_, false);
  stepped_ = false;
  if (shrinks) {
    scale_ *= options_.backoff_factor;
    tracker_ = 0;
  } else if (++tracker_ == options_.growth_interval) {
    // As in PyTorch the scale is a number of f32.
    const double more = scale_ * options_.growth_factor;
    if (more <= std::numeric_limits<float>::max()) scale_ = more;
    tracker_ = 0;
  }
}

StateDict GradScaler::state_dict() const {
  if (!options_.enabled) return {};
  return {{"scale", tensor(scale_)},
          {"growth_factor", tensor(options_.growth_factor)},
          {"backoff_factor", tensor(options_.backoff_factor)},
          {"growth_interval", tensor(options_.growth_interval)},
          {"_growth_tracker", tensor(tracker_)}};
}

void GradScaler::load_state_dict(const StateDict& values) {
  std::map<std::string, Tensor> given(values.begin(), values.end());
  if (!options_.enabled && given.empty()) return;
  const auto take = [&](const char* key) {
    const auto node = given.extract(key);
    if (node.empty() || node.mapped().shape() != Shape{})
      throw Error(fmt::format("GradScaler: the state has no number {}", key));
    return node.mapped();
  };
  GradScalerOptions o = options_;
  o.init_scale = take("scale").item();
  o.growth_factor = take("growth_factor").item();
  o.backoff_factor = take("backoff_factor").item();
  o.growth_interval = take("growth_interval").item<int64_t>();
  const auto tracker = take("_growth_tracker").item<int64_t>();
  if (!given.empty())
    throw Error("GradScaler: " + given.begin()->first + " belongs to nothing here");
  check(o);
  if (tracker < 0) throw Error(fmt::format("GradScaler: _growth_tracker is {}", tracker));
  scale_ = o.init_scale;
  o.init_scale = options_.init_scale;
  options_ = o;
  tracker_ = tracker;
  stepped_ = found_ = false;
}

}  // namespace glia::optim
