#include "glia/classic/uncertainty.h"

#include "glia/nn/dropout.h"
#include "glia/nn/layers.h"
#include "glia/ops.h"
#include "glia/ops/special.h"

namespace glia::classic {
namespace {

bool drops(const nn::Module& layer) {
  return dynamic_cast<const nn::Dropout*>(&layer) != nullptr ||
         dynamic_cast<const nn::DropoutBase*>(&layer) != nullptr;
}

// Sets all modes, and back at its end.
class DropoutsAlone {
 public:
  explicit DropoutsAlone(nn::Module& model) {
    model.apply([&](nn::Module& m) { before_.emplace_back(&m, m.is_training()); });
    model.eval();
    for (auto& [layer, training] : before_)
      if (drops(*layer)) {
        layer->train();
        ++count_;
      }
  }
  DropoutsAlone(const DropoutsAlone&) = delete;
  DropoutsAlone& operator=(const DropoutsAlone&) = delete;
  ~DropoutsAlone() {
    // A module's own mode after the one above it, which sets it too.
    for (size_t i = before_.size(); i-- > 0;) before_[i].first->train(before_[i].second);
  }
  int64_t count() const { return count_; }

 private:
  std::vector<std::pair<nn::Module*, bool>> before_;  // children first
  int64_t count_ = 0;
};

}  // namespace

Tensor mc_dropout(nn::Module& model, const Answer& forward, const Tensor& x, int64_t n_samples,
                  Where where) {
  if (n_samples < 1)
    throw ValueError("mc_dropout: n_samples = " + std::to_string(n_samples), where);
  const NoGrad no_grad;
  const DropoutsAlone modes(model);
  if (modes.count() == 0) throw ValueError("mc_dropout: the model has no dropout layer", where);
  std::vector<Tensor> samples;
  for (int64_t i = 0; i < n_samples; ++i) samples.push_back(forward(x));
  Tensor all = stack(samples);
  eval(all, where);
  return all;
}

Tensor ensemble(const std::vector<Answer>& members, const Tensor& x, Where where) {
  if (members.empty()) throw ValueError("ensemble: it has no members", where);
  const NoGrad no_grad;
  std::vector<Tensor> samples;
  for (const Answer& member : members) samples.push_back(member(x));
  Tensor all = stack(samples, 0, where);
  eval(all, where);
  return all;
}

ClassUncertainty class_uncertainty(const Tensor& probabilities, Where where) {
  if (!probabilities.defined() || probabilities.rank() != 3 || probabilities.numel() == 0)
    throw ShapeError("class_uncertainty: probabilities are (samples of the model, N, classes)" +
                         (probabilities.defined() ? ", not " + probabilities.shape().str() : ""),
                     where);
  const Tensor p = cast(probabilities, kF64), each = sum(p, {2});
  if (!all((p >= 0) & (p <= 1 + 1e-5)).item<bool>() || !all(abs(each - 1) < 1e-3).item<bool>())
    throw ValueError("class_uncertainty: rows are no probabilities", where);
  ClassUncertainty u;
  u.probabilities = mean(p, {0});
  u.total = sum(entr(u.probabilities), {1});
  u.aleatoric = mean(sum(entr(p), {2}), {0});
  u.epistemic = maximum(u.total - u.aleatoric, 0.0);
  return u;
}

NumberUncertainty number_uncertainty(const Tensor& means, const Tensor& variances, Where where) {
  if (!means.defined() || means.rank() < 1 || means.numel() == 0)
    throw ShapeError("number_uncertainty: means are (samples of the model, ...)", where);
  if (variances.defined() && variances.shape() != means.shape())
    throw ShapeError("number_uncertainty: variances are " + variances.shape().str() + ", not " +
                         means.shape().str(),
                     where);
  const Tensor m = cast(means, kF64);
  NumberUncertainty u;
  u.mean = mean(m, {0});
  u.epistemic = var(m, {0}, false, 0);
  if (variances.defined()) {
    const Tensor v = cast(variances, kF64);
    if (any(v < 0).item<bool>())
      throw ValueError("number_uncertainty: a variance is below 0", where);
    u.aleatoric = mean(v, {0});
  } else {
    u.aleatoric = zeros_like(u.mean);
  }
  u.variance = u.aleatoric + u.epistemic;
  return u;
}

}  // namespace glia::classic
