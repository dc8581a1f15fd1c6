// What is trained: metrics and their means, parts, and the ordinary task.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/train.h"

namespace glia::training {
namespace {

void check_names(const Metrics& metrics) {
  std::set<std::string> names;
  for (const Metric& m : metrics) {
    if (m.name.empty()) throw Error("a metric has no name");
    if (!m.sum.is_set()) throw Error("metric '" + m.name + "' has no sum");
    for (const Amount* amount : {&m.sum, &m.count})
      if (amount->tensor().defined() && amount->tensor().numel() != 1)
        throw ShapeError("metric '" + m.name + "' is " + amount->tensor().shape().str() +
                         ", not one number");
    if (!names.insert(m.name).second) throw Error("two metrics are named '" + m.name + "'");
  }
}

std::string names_of(const auto& metrics) {
  std::string out;
  for (const auto& m : metrics) out += (out.empty() ? "" : ", ") + m.name;
  return out.empty() ? "none" : out;
}

int64_t samples_of(const data::Sample& batch) { return batch.at(0).size(0); }

// With the count of the outcome where a sum has none.
Metrics metrics_of(const Outcome& outcome, const data::Sample& batch) {
  const Amount count = outcome.count.is_set() ? outcome.count : Amount(samples_of(batch));
  const Tensor loss = cast(stop_gradient(outcome.loss), kF64);
  Metrics out{{"loss",
               count.tensor().defined() ? loss * cast(count.tensor(), kF64) : loss * count.number(),
               count}};
  for (const Metric& m : outcome.sums)
    out.push_back({m.name, m.sum, m.count.is_set() ? m.count : count});
  return out;
}

}  // namespace

// ---- Means --------------------------------------------------------------------------------------

void Means::Running::add(const Amount& amount) {
  if (!amount.tensor().defined()) {
    known += amount.number();
    return;
  }
  if (!computed.defined()) computed = zeros({}, kF64);
  computed.set(computed + reshape(cast(stop_gradient(amount.tensor()), kF64), {}));
}

double Means::Running::of_tensors() const {
  return computed.defined() ? computed.tensor().item() : 0;
}

void Means::add(const Metrics& metrics) {
  check_names(metrics);
  if (entries_.empty())
    for (const Metric& m : metrics) entries_.push_back({m.name, {}, {}});
  if (!std::ranges::equal(entries_, metrics, {}, &Entry::name, &Metric::name))
    throw Error("the metrics of this step are " + names_of(metrics) +
                ", those of the steps before " + names_of(entries_));
  for (size_t i = 0; i < metrics.size(); ++i) {
    entries_[i].sum.add(metrics[i].sum);
    entries_[i].count.add(metrics[i].count.is_set() ? metrics[i].count : Amount(1));
  }
}

std::vector<Means::Total> Means::totals() const {
  std::vector<Total> out;
  for (const Entry& e : entries_)
    out.push_back({e.name, e.sum.known + e.sum.of_tensors(), e.count.known + e.count.of_tensors()});
  return out;
}

Values Means::values() const {
  Values out;
  for (const auto& [name, sum, count] : totals())
    if (count != 0) out.emplace_back(name, sum / count);
  return out;
}

// ---- Parts --------------------------------------------------------------------------------------

Part::Part(std::string name, data::Pipeline& pipeline)
    : Part(
          std::move(name),
          [&pipeline]() -> StateDict {
            const data::State at = pipeline.state();
            return {{"state", tensor({at.epoch, at.position})}};
          },
          [&pipeline](const StateDict& state) {
            if (state.size() != 1 || state[0].first != "state" ||
                state[0].second.shape() != Shape{2})
              throw Error("the state is of no pipeline");
            const auto at = state[0].second.to_vector<int64_t>();
            pipeline.set_state({at[0], at[1]});
          }) {}

// ---- The ordinary task --------------------------------------------------------------------------

namespace {

// Without a scaler: nullptr.
Task supervised(nn::Module& model, optim::Optimizer& optimizer, optim::GradScaler* scaler,
                Forward forward, const SupervisedOptions& options) {
  if (!forward) throw ValueError("supervised: no function says what the model makes of a batch");
  if (!(options.clip_norm >= 0) || options.accumulate < 1)
    throw ValueError(fmt::format("supervised: clip_norm {}, accumulate {}", options.clip_norm,
                                 options.accumulate));
  if (optimizer.needs_loss() && (options.clip_norm > 0 || options.accumulate > 1 || scaler))
    throw ValueError(
        "supervised: an optimizer that takes the gradients itself neither clips nor "
        "accumulates nor scales them");
  const auto sums = std::make_shared<optim::GradientMean>();
  Task task{.parts = {{"model", model}, {"optimizer", optimizer}}};
  if (options.accumulate > 1)
    task.parts.emplace_back(
        "gradients", [sums] { return sums->state_dict(); },
        [sums](const StateDict& state) { sums->load_state_dict(state); });
  if (scaler) task.parts.emplace_back("scaler", *scaler);
  task.step = [=, &optimizer](const data::Sample& batch) {
    if (optimizer.needs_loss()) {
      Metrics metrics;  // of the first time that the loss is computed
      optimizer.step([&] {
        const Outcome outcome = forward(batch);
        if (metrics.empty()) metrics = metrics_of(outcome, batch);
        return outcome.loss;
      });
      return metrics;
    }
    const Outcome outcome = forward(batch);
    std::vector<Tensor> g =
        gradients(scaler ? scaler->scale(outcome.loss) : outcome.loss, optimizer.parameters());
    if (options.accumulate > 1) {
      sums->add(g);
      if (sums->count() < options.accumulate) return metrics_of(outcome, batch);
      g = sums->take();
    }
    if (scaler) g = scaler->unscale(g);
    if (options.clip_norm > 0) g = optim::clip_grad_norm(g, options.clip_norm).gradients;
    if (scaler) {
      scaler->step(optimizer, std::move(g));
      scaler->update();
    } else {
      optimizer.step(std::move(g));
    }
    return metrics_of(outcome, batch);
  };
  task.measure = [forward](const data::Sample& batch) { return metrics_of(forward(batch), batch); };
  return task;
}

}  // namespace

Task supervised(nn::Module& model, optim::Optimizer& optimizer, Forward forward,
                const SupervisedOptions& options) {
  return supervised(model, optimizer, nullptr, std::move(forward), options);
}

Task supervised(nn::Module& model, optim::Optimizer& optimizer, optim::GradScaler& scaler,
                Forward forward, const SupervisedOptions& options) {
  return supervised(model, optimizer, &scaler, std::move(forward), options);
}

}  // namespace glia::training
