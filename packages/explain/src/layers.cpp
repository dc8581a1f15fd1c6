#include "glia/explain/layers.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include "common.h"
#include "glia/autodiff.h"
#include "glia/classic/linear_model.h"
#include "glia/classic/model_selection.h"
#include "glia/data/source.h"
#include "glia/math/integrate.h"
#include "glia/nn/functional.h"
#include "glia/op.h"
#include "glia/ops/image.h"

namespace glia::explain {
namespace {

// All values that the output was made of and that depend on the input, inputs first.
std::vector<Tensor> history(const Tensor& out) {
  std::vector<Tensor> order;
  std::unordered_set<const Node*> seen{out.node()};
  std::vector<std::pair<Tensor, int>> stack{{out, 0}};
  while (!stack.empty()) {
    auto& [t, next] = stack.back();
    const Recorded one(*t.node());
    if (next == one.inputs()) {
      order.push_back(t);
      stack.pop_back();
      continue;
    }
    const Tensor in = one.in(next++);
    if (in.defined() && in.requires_grad() && seen.insert(in.node()).second)
      stack.emplace_back(in, 0);
  }
  return order;
}

// Whether an operation reads the parameter, or a view or another dtype of it.
bool reads(const Recorded& one, const Node* parameter) {
  for (int i = 0; i < one.inputs(); ++i) {
    Tensor in = one.in(i);
    while (in.defined() && in.node() != parameter) {
      const Recorded made(*in.node());
      const bool same = made.op().kind == Kind::kView || std::string_view(made.op().name) == "cast";
      in = same && made.inputs() > 0 ? made.in(0) : Tensor();
    }
    if (in.defined()) return true;
  }
  return false;
}

// A parameter, or a view or another dtype of it.
bool is_parameter(Tensor t) {
  while (true) {
    const Recorded one(*t.node());
    if (one.inputs() == 0) return true;
    const bool same = one.op().kind == Kind::kView || std::string_view(one.op().name) == "cast";
    if (!same) return false;
    t = one.in(0);
  }
}

// What a layer gives: with the bias, if that is added behind.
Tensor with_bias(const Tensor& t, const std::vector<Tensor>& all) {
  for (const Tensor& next : all) {
    const Recorded one(*next.node());
    if (std::string_view(one.op().name) != "add") continue;
    for (int i : {0, 1})
      if (one.in(i).node() == t.node() && is_parameter(one.in(1 - i))) return next;
  }
  return t;
}

Tensor found(const char* op, const Recording& r, const Tensor& layer, const Where& where) {
  const std::vector<Tensor> all = history(r.scores);
  if (layer.defined()) {
    for (const Tensor& t : all) {
      const Recorded one(*t.node());
      const bool computes =
          one.op().kind != Kind::kView && std::string_view(one.op().name) != "cast";
      if (computes && t.node() != layer.node() && reads(one, layer.node()))
        return with_bias(t, all);
    }
    throw Error(
        std::string(op) + ": the model does not use the layer's parameter " + layer.shape().str(),
        where);
  }
  // What is made of the input number by number, such as a scaled picture, is no map of it.
  std::unordered_set<const Node*> same;
  for (const Tensor& t : all) {
    const Recorded one(*t.node());
    const Kind kind = one.op().kind;
    bool only = one.inputs() == 0 || kind == Kind::kElementwise || kind == Kind::kView;
    for (int i = 0; only && i < one.inputs(); ++i)
      only = !one.in(i).requires_grad() || same.contains(one.in(i).node());
    if (only) same.insert(t.node());
  }
  for (size_t i = all.size(); i-- > 0;) {
    if (same.contains(all[i].node())) continue;
    const Shape& shape = all[i].shape();
    if (shape.rank() == 4 && shape[0] == r.x.size(0) && shape[1] * shape[2] > 1) return all[i];
  }
  throw Error(std::string(op) + ": the model has no maps (N, H, W, C)", where);
}

struct Cam {
  Tensor map, gradient, score;
};
Cam cam(const char* op, const Forward& f, const Tensor& x, const GradCamOptions& options,
        const Where& where) {
  const Recording r = recorded(op, f, x, options.target, where);
  const Tensor map = found(op, r, options.layer, where);
  if (map.rank() != 4)
    fail(op, "the layer gives " + map.shape().str() + ", not (N, H, W, C)", where);
  return {map, gradients(sum(r.scores), {map}, {}, where)[0], stop_gradient(r.scores)};
}

Tensor finished(const Tensor& heat, const Tensor& x, const GradCamOptions& options) {
  const Tensor t = options.relu_attributions ? relu(heat) : heat;
  if (!options.upsample) return stop_gradient(t);
  return stop_gradient(squeeze(
      interpolate(unsqueeze(t, 3), {x.size(1), x.size(2)}, {.mode = InterpolationMode::kLinear}),
      3));
}

}  // namespace

Tensor grad_cam(const Forward& f, const Tensor& x, const GradCamOptions& options, Where where) {
  const Cam c = cam("grad_cam", f, x, options, where);
  return finished(sum(stop_gradient(c.map) * mean(c.gradient, {1, 2}, true), {3}), x, options);
}

Tensor grad_cam_plus_plus(const Forward& f, const Tensor& x, const GradCamOptions& options,
                          Where where) {
  const Cam c = cam("grad_cam_plus_plus", f, x, options, where);
  // Of exp(score) second and third derivatives are powers of the first.
  const Tensor map = stop_gradient(c.map), g2 = square(c.gradient), g3 = g2 * c.gradient;
  const Tensor below = 2 * g2 + sum(map, {1, 2}, true) * g3;
  const Tensor alpha = g2 / glia::where(below == 0, 1, below);
  const Tensor weights = sum(alpha * relu(c.gradient), {1, 2}, true);
  GradCamOptions positive = options;
  positive.relu_attributions = true;
  return finished(sum(map * weights, {3}), x, positive);
}

Tensor guided_grad_cam(const Forward& f, const Tensor& x, const GradCamOptions& options,
                       Where where) {
  GradCamOptions whole = options;
  whole.relu_attributions = whole.upsample = true;
  const Tensor heat = grad_cam(f, x, whole, where);
  return guided_backprop(f, x, options.target, where) * unsqueeze(heat, 3);
}

Tensor layer_activation(const Forward& f, const Tensor& x, const Tensor& layer, Where where) {
  require_input("layer_activation", x, where);
  Recording r;
  r.x = trainable(stop_gradient(x));
  r.scores = f(r.x);
  return stop_gradient(found("layer_activation", r, layer, where));
}

Attributed embedding_gradients(const nn::Module& embedding, const std::function<Tensor()>& f,
                               const EmbeddingGradientsOptions& options, Where where) {
  constexpr const char* kOp = "embedding_gradients";
  require_count(kOp, "n_steps", options.n_steps, where);
  const ParameterList parameters = embedding.all_parameters();
  if (parameters.size() != 1 || parameters[0].shape().rank() != 2)
    throw Error(std::string(kOp) + ": an embedding has one parameter, its table", where);
  const Tensor table = stop_gradient(parameters[0].tensor());
  const Tensor base = baseline_for(kOp, options.baseline, table, where);
  // The outputs, and what was looked up, with the table that far from the baseline.
  const auto at = [&](double share) {
    Recording r;
    r.x = trainable(base + (table - base) * share);
    const nn::Substituted here(embedding, {r.x}, where);
    r.outputs = f();
    r.scores = options.target.of(r.outputs, where);
    r.outputs = found(kOp, r, r.x, where);
    return r;
  };
  const auto rule = integrate::roots_legendre(options.n_steps, where);
  const auto nodes = rule.nodes.to_vector<double>(), weights = rule.weights.to_vector<double>();
  Tensor total;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Recording r = at((nodes[i] + 1) / 2);
    const Tensor g = gradients(sum(r.scores), {r.outputs}, {}, where)[0] * (weights[i] / 2);
    total = total.defined() ? total + g : g;
    eval(total);
  }
  const Recording whole = at(1), none = at(0);
  const Tensor words = sum(total * stop_gradient(whole.outputs - none.outputs), {-1});
  return {words, example_sums(words) - stop_gradient(whole.scores - none.scores)};
}

Tcav tcav(const Forward& head, const Tensor& concept_activations, const Tensor& random_activations,
          const Tensor& activations, const TcavOptions& options, Where where) {
  constexpr const char* kOp = "tcav";
  for (const Tensor* t : {&concept_activations, &random_activations, &activations})
    require_input(kOp, *t, where);
  Shape one = activations.shape();
  for (const Tensor* t : {&concept_activations, &random_activations}) {
    one[0] = t->size(0);
    if (t->shape() != one || one[0] < 3)
      fail(kOp,
           "activations " + t->shape().str() + " of examples, at least 3, for inputs " +
               activations.shape().str(),
           where);
  }
  const Tensor x = concat({reshape(concept_activations, {concept_activations.size(0), -1}),
                           reshape(random_activations, {random_activations.size(0), -1})},
                          0);
  const Tensor y = concat(
      {ones({concept_activations.size(0)}, kI64), zeros({random_activations.size(0)}, kI64)}, 0);
  const auto rows = classic::train_test_split(
      x.size(0), {.test_size = 1.0 / 3, .random_state = options.seed, .stratify = y}, where);
  classic::LogisticRegression model({.C = options.C});
  model.fit(take(x, rows.train), take(y, rows.train));
  const double accuracy = model.score(take(x, rows.test), take(y, rows.test));
  const Tensor direction = cast(reshape(model.coef, {-1}), activations.dtype());
  const Tensor cav = direction / sqrt(sum(square(direction)));
  const Tensor g = gradient(kOp, head, activations, options.target, where);
  const Tensor along = matmul(reshape(g, {g.size(0), -1}), cav);
  const double rise = sum(relu(along)).item(), all = sum(abs(along)).item();
  return {cav, accuracy, mean(cast(along > 0, kF64)).item(), all > 0 ? rise / all : 0};
}

Probe probe(const Tensor& activations, const Tensor& labels, const Tensor& control,
            const ProbeOptions& options, Where where) {
  require_input("probe", activations, where);
  const int64_t n = activations.size(0);
  if (activations.rank() != 2 || labels.shape() != Shape{n} ||
      (control.defined() && control.shape() != Shape{n}))
    fail("probe",
         "activations " + activations.shape().str() + " with labels " + labels.shape().str(),
         where);
  const Tensor y = cast(labels, kI64);
  const auto rows = classic::train_test_split(
      n, {.test_size = options.test_size, .random_state = options.seed, .stratify = y}, where);
  const auto accuracy = [&](const Tensor& targets) {
    classic::LogisticRegression model({.C = options.C});
    model.fit(take(activations, rows.train), take(targets, rows.train));
    return model.score(take(activations, rows.test), take(targets, rows.test));
  };
  // A label for each identity, as often as labels come.
  const auto given = y.to_vector<int64_t>();
  const auto of = control.defined() ? control.to_vector<int64_t>() : arange(n).to_vector<int64_t>();
  std::vector<int64_t> drawn;
  for (int64_t identity : of) {
    data::Random random(options.seed + 1, static_cast<uint64_t>(identity));
    drawn.push_back(given[static_cast<size_t>(random.below(n))]);
  }
  return {accuracy(y), accuracy(from_vector(drawn, {n}))};
}

Tensor attention_rollout(const std::vector<Tensor>& layers, const RolloutOptions& options,
                         Where where) {
  constexpr const char* kOp = "attention_rollout";
  if (layers.empty()) fail(kOp, "there are no layers", where);
  if (!(options.residual >= 0 && options.residual < 1) ||
      !(options.discard_ratio >= 0 && options.discard_ratio < 1))
    throw ValueError("attention_rollout: residual and discard_ratio are from 0 to below 1", where);
  Tensor total;
  for (const Tensor& layer : layers) {
    require_defined(kOp, layer, where);
    if (layer.shape() != layers[0].shape() || layer.rank() < 3 || layer.rank() > 4 ||
        layer.size(-1) != layer.size(-2))
      fail(kOp, "weights " + layer.shape().str() + ", not (heads, T, T) or (N, heads, T, T)",
           where);
    Tensor a = mean(layer, {-3});
    const int64_t size = a.size(-1);
    const auto few = static_cast<int64_t>(options.discard_ratio * static_cast<double>(size));
    if (few > 0) {
      const Tensor least = slice(sort(a).first, -1, {few, few + 1});
      a = glia::where(a >= least, a, 0);
    }
    a = options.residual * eye(size, a.dtype()) + (1 - options.residual) * a;
    a = a / sum(a, {-1}, true);
    total = total.defined() ? matmul(a, total) : a;
  }
  return total;
}

}  // namespace glia::explain
