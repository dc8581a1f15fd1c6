#include "glia/multitask/weighting.h"

#include <algorithm>
#include <cmath>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/ops.h"

namespace glia::multitask {
namespace {

using Numbers = std::vector<double>;

Tensor tensor_of(const Numbers& numbers) {
  return from_vector(numbers, {static_cast<int64_t>(numbers.size())});
}

// The numbers of that name, `count` of them or, if that may be, none. Throws Error.
Numbers numbers_of(const StateDict& state, const std::string& name, size_t count,
                   bool may_be_none = false) {
  for (const auto& [key, value] : state) {
    if (key != name) continue;
    if (value.dtype() == kF64 && value.rank() == 1) {
      const Numbers numbers = value.to_vector<double>();
      const bool fits = numbers.size() == count || (may_be_none && numbers.empty());
      if (fits && std::ranges::all_of(numbers, [](double v) { return std::isfinite(v); }))
        return numbers;
    }
    throw Error("Weighting: '" + name + "' is not f64 (" + std::to_string(count) +
                ") with finite numbers");
  }
  throw Error("Weighting: '" + name + "' is missing");
}

bool is_among(const Variable& v, const ParameterList& all) {
  return std::ranges::any_of(all, [&](const Variable& other) { return other.same_place(v); });
}

// The inner products of gradients, f64 (T, T).
Tensor products(const std::vector<std::vector<Tensor>>& g) {
  const size_t count = g.size();
  std::vector<Tensor> entries(count * count);
  for (size_t i = 0; i < count; ++i)
    for (size_t j = i; j < count; ++j) {
      Tensor total = zeros({}, kF64);
      for (size_t p = 0; p < g[i].size(); ++p)
        total = total + sum(cast(g[i][p], kF64) * cast(g[j][p], kF64));
      entries[i * count + j] = entries[j * count + i] = total;
    }
  const auto size = static_cast<int64_t>(count);
  return reshape(stack(entries), {size, size});
}

Tensor weighted_sum(const std::vector<Tensor>& x, const Numbers& weights) {
  Tensor out;
  for (size_t k = 0; k < x.size(); ++k) {
    const Tensor part = weights[k] * x[k];
    out = out.defined() ? out + part : part;
  }
  return out;
}

}  // namespace

Weighting::Weighting(size_t tasks) : weights_(tasks, 1) {
  if (tasks == 0) throw ValueError("Weighting: there are no tasks");
}

Tensor Weighting::combined(const std::vector<Tensor>& losses) const {
  return weighted_sum(losses, weights_);
}

void Weighting::balance(const Tensor&, const Numbers&) {}

Numbers Weighting::own_weights() const { return Numbers(tasks(), 1); }

std::vector<Tensor> Weighting::gradients(const std::vector<Tensor>& losses,
                                         const ParameterList& parameters,
                                         const ParameterList& shared, Where where) {
  if (losses.size() != tasks())
    throw ShapeError("Weighting: " + std::to_string(losses.size()) + " losses of " +
                         std::to_string(tasks()) + " tasks",
                     where);
  std::vector<Tensor> scalars;
  for (const Tensor& loss : losses) {
    if (!loss.defined() || loss.numel() != 1)
      throw ShapeError("Weighting: a loss is not one number", where);
    scalars.push_back(reshape(loss, {}));
  }
  const Tensor values = stop_gradient(cast(stack(scalars), kF64));
  if (by_losses()) {
    losses_.add({values}, where);
    return glia::gradients(combined(scalars), parameters, {}, where);
  }
  ParameterList together, own;
  for (const Variable& p : parameters) (is_among(p, shared) ? together : own).push_back(p);
  if (together.empty())
    throw ValueError("Weighting: no parameter is shared, so that there is nothing to combine",
                     where);
  std::vector<std::vector<Tensor>> each;
  for (const Tensor& loss : scalars) each.push_back(glia::gradients(loss, together, {}, where));
  std::vector<Tensor> alone;
  if (!own.empty()) alone = glia::gradients(weighted_sum(scalars, own_weights()), own, {}, where);
  // All of it is computed at once, since the weights are found on the host.
  const Tensor gram = products(each);
  std::vector<Tensor> all = {gram, values};
  for (const auto& g : each) all.insert(all.end(), g.begin(), g.end());
  all.insert(all.end(), alone.begin(), alone.end());
  eval(all, where);
  balance(gram, values.to_vector<double>());
  losses_.add({values}, where);

  std::vector<Tensor> out;
  size_t next_together = 0, next_own = 0;
  for (const Variable& p : parameters) {
    if (!is_among(p, shared)) {
      out.push_back(alone[next_own++]);
      continue;
    }
    std::vector<Tensor> parts;
    for (const auto& g : each) parts.push_back(g[next_together]);
    out.push_back(weighted_sum(parts, weights_));
    ++next_together;
  }
  return out;
}

void Weighting::finish_epoch() {
  if (losses_.count() > 0) end_epoch(losses_.take()[0].to_vector<double>());
}

StateDict Weighting::state_dict() const {
  StateDict out = {{"weights", tensor_of(weights_)}};
  for (auto& [name, value] : losses_.state_dict()) out.emplace_back("losses." + name, value);
  for (auto& [name, value] : extra_state()) out.emplace_back(name, value);
  return out;
}

void Weighting::load_state_dict(const StateDict& state) {
  const Numbers weights = numbers_of(state, "weights", tasks());
  StateDict losses;
  const std::string prefix = "losses.";
  for (const auto& [name, value] : state)
    if (name.starts_with(prefix)) losses.emplace_back(name.substr(prefix.size()), value);
  optim::GradientMean running;
  running.load_state_dict(losses);
  load_extra_state(state);
  losses_ = std::move(running);
  weights_ = weights;
}

// ---- By losses --------------------------------------------------------------------------------

UncertaintyWeighting::UncertaintyWeighting(size_t tasks, bool squares)
    : Weighting(tasks),
      part_(squares ? 0.5 : 1),
      log_variances_(zeros({static_cast<int64_t>(tasks)})) {}

Numbers UncertaintyWeighting::weights() const {
  Numbers out = log_variances_.tensor().to_vector<double>();
  for (double& s : out) s = part_ * std::exp(-s);
  return out;
}

ParameterList UncertaintyWeighting::parameters() const {
  ParameterList out;
  out.push_back(log_variances_);
  return out;
}

Tensor UncertaintyWeighting::combined(const std::vector<Tensor>& losses) const {
  const Tensor s = log_variances_;
  return sum(part_ * exp(-s) * stack(losses) + 0.5 * s);
}

StateDict UncertaintyWeighting::extra_state() const {
  return {{"log_variances", log_variances_.tensor()}};
}

void UncertaintyWeighting::load_extra_state(const StateDict& state) {
  for (const auto& [name, value] : state) {
    if (name != "log_variances") continue;
    if (value.shape() != log_variances_.shape() || value.dtype() != kF32) break;
    log_variances_.set(value);
    return;
  }
  throw Error("UncertaintyWeighting: 'log_variances' is missing or unfit");
}

DWA::DWA(size_t tasks, double temperature) : Weighting(tasks), temperature_(temperature) {
  if (!(temperature > 0))
    throw ValueError("DWA: a temperature of " + std::to_string(temperature) + " is not above 0");
}

void DWA::end_epoch(const Numbers& losses) {
  if (!last_.empty()) weights_ = dwa_weights(losses, last_, temperature_);
  last_ = losses;
}

StateDict DWA::extra_state() const { return {{"last", tensor_of(last_)}}; }

void DWA::load_extra_state(const StateDict& state) {
  last_ = numbers_of(state, "last", tasks(), true);
}

// ---- By gradients -----------------------------------------------------------------------------

GradNorm::GradNorm(size_t tasks, const GradNormOptions& options)
    : Weighting(tasks), options_(options), next_(tasks, 1) {
  if (!(options.alpha >= 0) || !(options.lr > 0))
    throw ValueError("GradNorm: alpha " + std::to_string(options.alpha) + ", lr " +
                     std::to_string(options.lr));
}

void GradNorm::balance(const Tensor& gram, const Numbers& losses) {
  if (first_.empty()) {
    if (!std::ranges::all_of(losses, [](double v) { return v > 0 && std::isfinite(v); }))
      throw ValueError("GradNorm: the first loss of a task is not above 0");
    first_ = losses;
  }
  const Numbers values = gram.to_vector<double>();
  Numbers norms, progress;
  for (size_t k = 0; k < tasks(); ++k) {
    norms.push_back(std::sqrt(values[k * tasks() + k]));
    progress.push_back(losses[k] / first_[k]);
  }
  weights_ = next_;
  next_ = gradnorm_weights(weights_, norms, progress, options_);
}

StateDict GradNorm::extra_state() const {
  return {{"next", tensor_of(next_)}, {"first", tensor_of(first_)}};
}

void GradNorm::load_extra_state(const StateDict& state) {
  const Numbers next = numbers_of(state, "next", tasks());
  first_ = numbers_of(state, "first", tasks(), true);
  next_ = next;
}

MGDA::MGDA(size_t tasks, const MinNormOptions& options) : Weighting(tasks), options_(options) {}

void MGDA::balance(const Tensor& gram, const Numbers&) {
  weights_ = min_norm_weights(gram, options_);
}

PCGrad::PCGrad(size_t tasks, uint64_t random_state)
    : Weighting(tasks), random_state_(random_state) {}

void PCGrad::balance(const Tensor& gram, const Numbers&) {
  data::Random random(random_state_, 0, static_cast<uint64_t>(steps_));
  weights_ = pcgrad_weights(gram, random);
  ++steps_;
}

StateDict PCGrad::extra_state() const { return {{"steps", tensor({steps_})}}; }

void PCGrad::load_extra_state(const StateDict& state) {
  for (const auto& [name, value] : state)
    if (name == "steps" && value.numel() == 1 && value.dtype() == kI64) {
      steps_ = value.item<int64_t>();
      return;
    }
  throw Error("PCGrad: 'steps' is missing or unfit");
}

CAGrad::CAGrad(size_t tasks, const CAGradOptions& options) : Weighting(tasks), options_(options) {}

void CAGrad::balance(const Tensor& gram, const Numbers&) {
  weights_ = cagrad_weights(gram, options_);
}

std::unique_ptr<Weighting> make_weighting(const std::string& name, size_t tasks,
                                          uint64_t random_state) {
  if (name == "equal") return std::make_unique<EqualWeighting>(tasks);
  if (name == "uncertainty") return std::make_unique<UncertaintyWeighting>(tasks);
  if (name == "dwa") return std::make_unique<DWA>(tasks);
  if (name == "gradnorm") return std::make_unique<GradNorm>(tasks);
  if (name == "mgda") return std::make_unique<MGDA>(tasks);
  if (name == "pcgrad") return std::make_unique<PCGrad>(tasks, random_state);
  if (name == "cagrad") return std::make_unique<CAGrad>(tasks);
  throw Error("no weighting '" + name +
              "': there are equal, uncertainty, dwa, gradnorm, mgda, pcgrad and cagrad");
}

// ---- Training ---------------------------------------------------------------------------------

training::Task task(Model& model, optim::Optimizer& optimizer, Weighting& weighting,
                    Forward forward, std::vector<std::string> names) {
  if (!forward)
    throw ValueError("multitask::task: no function says what the model makes of a batch");
  if (names.size() != model.tasks() || weighting.tasks() != model.tasks())
    throw ValueError("multitask::task: a model of " + std::to_string(model.tasks()) +
                     " tasks, a weighting of " + std::to_string(weighting.tasks()) + " and " +
                     std::to_string(names.size()) + " names");
  for (const Variable& p : weighting.parameters())
    if (!is_among(p, optimizer.parameters()))
      throw ValueError("multitask::task: what the weighting learns is not the optimizer's");
  const auto metrics = [names](const Outcomes& made, const data::Sample& batch) {
    const int64_t count = batch[0].size(0);
    training::Metrics out;
    for (size_t k = 0; k < names.size(); ++k)
      out.push_back({"loss_" + names[k], made.losses.at(k) * count, count});
    for (training::Metric metric : made.sums) {
      if (!metric.count.is_set()) metric.count = count;
      out.push_back(metric);
    }
    return out;
  };
  training::Task task{
      .parts = {{"model", model}, {"optimizer", optimizer}, {"weighting", weighting}}};
  task.step = [=, &model, &optimizer, &weighting](const data::Sample& batch) {
    const Outcomes made = forward(batch);
    optimizer.step(
        weighting.gradients(made.losses, optimizer.parameters(), model.shared_parameters()));
    return metrics(made, batch);
  };
  task.measure = [=](const data::Sample& batch) { return metrics(forward(batch), batch); };
  task.evaluate = [=, &weighting] {
    training::Values out;
    const Numbers weights = weighting.weights();
    for (size_t k = 0; k < names.size(); ++k) out.emplace_back("weight_" + names[k], weights[k]);
    weighting.finish_epoch();
    return out;
  };
  return task;
}

}  // namespace glia::multitask
