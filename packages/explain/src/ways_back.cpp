// Guided backpropagation, deconvolution and relevance: other rules on the way back.
#include "common.h"
#include "glia/autodiff.h"
#include "rules.h"

namespace glia::explain {
namespace {

Tensor through_relus(const char* op, const Forward& f, const Tensor& x, const Target& target,
                     bool guided, const Where& where) {
  const OtherRules rules([&](Vjp& v) {
    if (!is_named(v, {"relu"})) return false;
    const Tensor positive = relu(v.g());
    v.set(0, guided ? glia::where(v.in(0) > 0, positive, 0) : positive);
    return true;
  });
  return gradient(op, f, x, target, where);
}

class Relevance {
 public:
  explicit Relevance(const LrpOptions& options) : options_(options) {}

  bool rule(Vjp& v) const {
    const std::vector<int> by = movers(v);
    switch (v.op().kind) {
      case Kind::kElementwise:
        return elementwise(v, by);
      case Kind::kReduce:
        return is_named(v, {"sum"}) && shared(v, by, inputs_of(v));
      case Kind::kMacro:
        if (is_named(v, {"linear"})) return weighted(v, by);
        if (is_named(v, {"gelu", "softplus", "clamp"})) {
          v.set(0, v.g());
          return true;
        }
        if (!v.op().compose || v.op().outputs > 1) return false;
        v.set_composed();
        return true;
      case Kind::kKernel:
        if (is_named(v, {"conv2d", "matmul"})) return weighted(v, by);
        return is_named(v, {"avg_pool2d"}) && shared(v, by, inputs_of(v));
      default:
        return false;
    }
  }

 private:
  Tensor stable(const Tensor& y) const {
    return y + where(y >= 0, options_.epsilon, -options_.epsilon);
  }

  // Each input gets what it adds to the output, as a share of all; of two factors each half.
  bool shared(Vjp& v, const std::vector<int>& by, std::vector<Tensor> in) const {
    const Tensor out = again(v, in);
    const std::vector<Tensor> g = pulled_back(v, in, by, v.g() / stable(out));
    for (size_t k = 0; k < by.size(); ++k) {
      const Tensor relevance = g[k] * in[static_cast<size_t>(by[k])];
      v.set(by[k], by.size() > 1 ? relevance / static_cast<double>(by.size()) : relevance);
    }
    return true;
  }

  // Weights as the rule counts them; biases stay, as in Captum.
  Tensor ruled(const Tensor& weight) const {
    if (options_.rule == LrpRule::kGamma) return weight + options_.gamma * relu(weight);
    return options_.rule == LrpRule::kAlpha1Beta0 ? relu(weight) : weight;
  }
  std::vector<Tensor> ruled_inputs(const Recorded& one) const {
    std::vector<Tensor> in = inputs_of(one);
    in[1] = ruled(in[1]);
    return in;
  }

  bool weighted(Vjp& v, const std::vector<int>& by) const {
    // A product of two things that depend on the input has no weights.
    return shared(v, by, by.size() > 1 || by[0] > 0 ? inputs_of(v) : ruled_inputs(v));
  }

  // A bias that is added behind a layer counts in its sum.
  bool biased(Vjp& v, int i) const {
    const Tensor in = v.in(i);
    const Recorded layer(*in.node());
    if (options_.rule == LrpRule::kEpsilon || !is_named(layer, {"conv2d", "matmul"})) return false;
    const Tensor z = again(layer, ruled_inputs(layer));
    v.set(i, v.g() * z / stable(z + stop_gradient(v.in(1 - i))));
    return true;
  }

  bool elementwise(Vjp& v, const std::vector<int>& by) const {
    if (is_named(v, {"where", "cast", "maximum", "minimum"}) && by.size() > 1) return false;
    if (is_named(v, {"add"}) && by.size() == 1 && biased(v, by[0])) return true;
    if (is_named(v, {"add", "sub"})) {
      const Tensor share = v.g() / stable(stop_gradient(v.out()));
      for (int i : by) {
        const Tensor part = share * stop_gradient(v.in(i));
        v.set(i, is_named(v, {"sub"}) && i == 1 ? -part : part);
      }
      return true;
    }
    if (is_named(v, {"div"}) && by.size() == 2) {
      v.set(0, v.g());
      return true;
    }
    for (int i : by) v.set(i, by.size() > 1 ? v.g() / static_cast<double>(by.size()) : v.g());
    return true;
  }

  const LrpOptions options_;
};

}  // namespace

Tensor guided_backprop(const Forward& f, const Tensor& x, const Target& target, Where where) {
  return through_relus("guided_backprop", f, x, target, true, where);
}

Tensor deconvolution(const Forward& f, const Tensor& x, const Target& target, Where where) {
  return through_relus("deconvolution", f, x, target, false, where);
}

Attributed lrp(const Forward& f, const Tensor& x, const LrpOptions& options, Where where) {
  const Recording r = recorded("lrp", f, x, options.target, where);
  const Relevance relevance(options);
  const OtherRules rules([&](Vjp& v) { return relevance.rule(v); });
  const Tensor score = stop_gradient(r.scores);
  const Tensor attributions = gradients(r.scores, {r.x}, score, where)[0];
  return {attributions, score - example_sums(attributions)};
}

}  // namespace glia::explain
