// Optimizers around others, and averages of parameters.
#include "glia/optim/wrappers.h"

#include <fmt/format.h>

#include <limits>
#include <map>

#include "glia/autodiff.h"
#include "glia/ops.h"

namespace glia::optim {

// ---- What they share ----------------------------------------------------------------------------

Wrapper::Wrapper(const char* name, std::vector<std::string_view> option_names, Optimizer& base)
    : Optimizer(name, std::move(option_names)), base_(base) {
  if (base.needs_loss())
    throw ValueError(fmt::format("{}: around an optimizer that needs the loss itself", name));
}

void Wrapper::add_groups(const Options& options) {
  for (size_t g = 0; g < base_.group_count(); ++g) add_group(base_.parameters(g), options);
}

bool Wrapper::has_option(std::string_view name) const {
  return Optimizer::has_option(name) || base_.has_option(name);
}

double Wrapper::option(std::string_view name, size_t group) const {
  return Optimizer::has_option(name) ? Optimizer::option(name, group) : base_.option(name, group);
}

void Wrapper::set_option(std::string_view name, double value, size_t group) {
  if (Optimizer::has_option(name))
    Optimizer::set_option(name, value, group);
  else
    base_.set_option(name, value, group);
}

// ---- Look-ahead ---------------------------------------------------------------------------------

namespace {
enum LookaheadOption { kAlpha, kK };
enum SamOption { kRho, kAdaptive };
constexpr double kInfinity = std::numeric_limits<double>::infinity();
}  // namespace

Lookahead::Lookahead(Optimizer& base, const LookaheadOptions& options)
    : Wrapper("lookahead", {"alpha", "k"}, base) {
  add_groups({options.alpha, static_cast<double>(options.k)});
}

void Lookahead::check(const Options& o) const {
  check_range(o, kAlpha, 0, std::nextafter(1, 2));
  check_range(o, kK, 1, kInfinity);
}

std::vector<Optimizer::State> Lookahead::states(const Options&, const Shape& shape) const {
  return {{"slow", shape}};
}

void Lookahead::update(Slots changing, std::span<const Tensor> gradients, const Where& where) {
  std::vector<Tensor> all(slots().size());
  for (size_t i = 0; i < changing.size(); ++i) {
    all[changing[i] - slots().data()] = gradients[i];
    if (changing[i]->steps == 0) changing[i]->state[0].set(changing[i]->parameter.tensor(where));
  }
  DeferredSteps together;
  base_.step(std::move(all), where);
  for (Slot* slot : changing) {
    const Options& o = options(*slot);
    if ((slot->steps + 1) % static_cast<int64_t>(o[kK]) != 0) continue;
    const Tensor slow = slot->state[0], fast = slot->parameter.tensor(where);
    const Tensor next = slow + (fast - slow) * o[kAlpha];
    slot->state[0].set(next, where);
    slot->parameter.set(next, where);
  }
  together.finish();
}

// ---- Sharpness-aware steps ----------------------------------------------------------------------

SAM::SAM(Optimizer& base, const SAMOptions& options) : Wrapper("sam", {"rho", "adaptive"}, base) {
  add_groups({options.rho, 1.0 * options.adaptive});
}

void SAM::check(const Options& o) const { check_range(o, kRho, 0, kInfinity); }

Tensor SAM::update(const Loss& loss, const Where& where) {
  std::vector<Slot*> moving;
  for (Slot& slot : slots())
    if (slot.parameter.trainable()) moving.push_back(&slot);
  const ParameterList parameters = base_.parameters();
  const Tensor value = loss();
  const Buffer before(stop_gradient(value, where), where);  // computed along with the step
  std::vector<Tensor> near = gradients(value, parameters), old;
  {
    const NoGrad off;
    std::vector<Tensor> squares;
    for (size_t i = 0; i < moving.size(); ++i) {
      const Tensor p = old.emplace_back(moving[i]->parameter.tensor(where));
      const bool adaptive = options(*moving[i])[kAdaptive] != 0;
      squares.push_back(cast(sum(square(adaptive ? p * near[i] : near[i])), kF64));
    }
    const Tensor norm = squares.empty() ? zeros({}, kF64) : sqrt(sum(stack(squares)));
    for (size_t i = 0; i < moving.size(); ++i) {
      const Options& o = options(*moving[i]);
      const Tensor scale = cast(o[kRho] / (norm + 1e-12), old[i].dtype());
      const Tensor way = near[i] * scale;
      moving[i]->parameter.set(old[i] + (o[kAdaptive] != 0 ? square(old[i]) * way : way), where);
    }
  }
  const auto back = [&] {
    for (size_t i = 0; i < moving.size(); ++i) moving[i]->parameter.set(old[i], where);
  };
  std::vector<Tensor> there;
  try {
    there = gradients(loss(), parameters);
  } catch (...) {
    back();
    throw;
  }
  back();
  old.clear();
  near.clear();
  DeferredSteps together;
  base_.step(std::move(there), where);
  together.finish();
  return before;
}

// ---- Averages -----------------------------------------------------------------------------------

AveragedParameters::AveragedParameters(const ParameterList& parameters,
                                       const AverageOptions& options)
    : parameters_(parameters), options_(options) {
  if (options.decay && !(*options.decay >= 0 && *options.decay <= 1))
    throw ValueError(fmt::format("AveragedParameters: decay = {} is out of range", *options.decay));
  for (const Variable& p : parameters_) values_.emplace_back(stop_gradient(p.tensor()));
}

void AveragedParameters::update(Where where) {
  if (swapped_) throw Error("AveragedParameters: update() while swapped", where);
  const NoGrad off;
  const double part = n_averaged_ == 0 ? 1
                      : options_.decay ? 1 - *options_.decay
                                       : 1 / static_cast<double>(n_averaged_ + 1);
  for (size_t i = 0; i < values_.size(); ++i) {
    const Tensor now = parameters_[i].tensor(where), average = values_[i];
    values_[i].set(n_averaged_ == 0 ? now : average + (now - average) * part, where);
  }
  ++n_averaged_;
}

std::vector<Tensor> AveragedParameters::values() const {
  std::vector<Tensor> out;
  for (size_t i = 0; i < values_.size(); ++i)
    out.push_back(swapped_ ? parameters_[i].tensor() : values_[i].tensor());
  return out;
}

void AveragedParameters::swap(Where where) {
  for (size_t i = 0; i < values_.size(); ++i) {
    const Tensor theirs = parameters_[i].tensor(where), ours = values_[i];
    parameters_[i].set(ours, where);
    values_[i].set(stop_gradient(theirs), where);
  }
  swapped_ = !swapped_;
}

StateDict AveragedParameters::state_dict() const {
  if (swapped_) throw Error("AveragedParameters: state_dict() while swapped");
  StateDict out{{"n_averaged", tensor(n_averaged_)}};
  for (size_t i = 0; i < values_.size(); ++i)
    out.emplace_back(fmt::format("values.{}", i), values_[i]);
  return out;
}

void AveragedParameters::load_state_dict(const StateDict& values) {
  if (swapped_) throw Error("AveragedParameters: load_state_dict() while swapped");
  std::map<std::string, Tensor> given(values.begin(), values.end());
  const auto take = [&](const std::string& key, const Shape& shape) {
    const auto node = given.extract(key);
    if (node.empty() || node.mapped().shape() != shape)
      throw Error(fmt::format("AveragedParameters: the state has no {} {}", key, shape.str()));
    return node.mapped();
  };
  const auto count = take("n_averaged", {}).item<int64_t>();
  std::vector<Tensor> loaded;
  for (size_t i = 0; i < values_.size(); ++i)
    loaded.push_back(
        cast(take(fmt::format("values.{}", i), values_[i].shape()), values_[i].dtype()));
  if (!given.empty())
    throw Error("AveragedParameters: " + given.begin()->first + " belongs to nothing here");
  if (count < 0) throw Error(fmt::format("AveragedParameters: n_averaged is {}", count));
  for (size_t i = 0; i < values_.size(); ++i) values_[i].set(loaded[i]);
  n_averaged_ = count;
}

}  // namespace glia::optim
