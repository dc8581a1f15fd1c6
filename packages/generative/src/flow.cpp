#include "glia/generative/flow.h"

#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "glia/error.h"
#include "glia/nn/init.h"
#include "glia/nn/layers.h"
#include "glia/ops.h"
#include "glia/random.h"

namespace glia::generative {

AffineCoupling::AffineCoupling(int64_t features, const std::vector<int64_t>& hidden, bool reversed)
    : features_(features),
      kept_(reversed ? features - features / 2 : features / 2),
      reversed_(reversed) {
  const int64_t changed = features - kept_;
  int64_t in = kept_;
  for (const int64_t width : hidden) {
    net.push_back(nn::Linear(std::exchange(in, width), width));
    net.push_back(relu);
  }
  nn::Linear last(in, 2 * changed);
  // Begins as the identity.
  nn::init::zeros_(last.weight);
  nn::init::zeros_(last.bias);
  net.push_back(std::move(last));
  scale = ones({changed});
}

AffineCoupling::Halves AffineCoupling::halves(const Tensor& x) const {
  if (!reversed_) return {slice(x, 1, {0, kept_}), slice(x, 1, {kept_, features_})};
  return {slice(x, 1, {features_ - kept_, features_}), slice(x, 1, {0, features_ - kept_})};
}

AffineCoupling::Map AffineCoupling::map(const Tensor& known) const {
  const Tensor both = net(known);
  const int64_t changed = features_ - kept_;
  return {scale * tanh(slice(both, 1, {0, changed})), slice(both, 1, {changed, 2 * changed})};
}

Tensor AffineCoupling::joined(const Tensor& known, const Tensor& changed) const {
  return reversed_ ? concat({changed, known}, 1) : concat({known, changed}, 1);
}

Flowed AffineCoupling::forward(const Tensor& x) const {
  const auto [known, changed] = halves(x);
  const auto [log_scale, shift] = map(known);
  return {joined(known, changed * exp(log_scale) + shift), sum(log_scale, {1})};
}

Tensor AffineCoupling::inverse(const Tensor& y) const {
  const auto [known, changed] = halves(y);
  const auto [log_scale, shift] = map(known);
  return joined(known, (changed - shift) * exp(-log_scale));
}

RealNvp::RealNvp(int64_t features, const RealNvpOptions& o) : features_(features) {
  bool fits = features >= 2 && o.layers >= 1;
  for (const int64_t width : o.hidden) fits = fits && width >= 1;
  if (!fits)
    throw ValueError("RealNvp: features " + std::to_string(features) + ", layers " +
                     std::to_string(o.layers));
  for (int64_t i = 0; i < o.layers; ++i) couplings.emplace_back(features, o.hidden, i % 2 == 1);
}

void RealNvp::check(const char* name, const Tensor& x, Where where) const {
  if (x.rank() != 2 || x.size(1) != features_)
    throw ShapeError(std::string("RealNvp::") + name + ": " + x.shape().str() + " is not (N, " +
                         std::to_string(features_) + ")",
                     where);
}

Flowed RealNvp::forward(const Tensor& x, Where where) const {
  check("forward", x, where);
  Flowed flowed{x, zeros({x.size(0)}, x.dtype())};
  for (const AffineCoupling& coupling : couplings) {
    const Flowed next = coupling.forward(flowed.out);
    flowed = {next.out, flowed.log_det + next.log_det};
  }
  return flowed;
}

Tensor RealNvp::inverse(const Tensor& z, Where where) const {
  check("inverse", z, where);
  Tensor x = z;
  for (size_t i = couplings.size(); i-- > 0;) x = couplings[i].inverse(x);
  return x;
}

Tensor RealNvp::log_density(const Tensor& x, Where where) const {
  const auto [z, log_det] = forward(x, where);
  const double constant = static_cast<double>(features_) * std::log(2 * std::numbers::pi);
  return log_det - 0.5 * (sum(square(z), {1}) + constant);
}

Tensor RealNvp::sample(int64_t n) const {
  const NoGrad no_grad;
  return inverse(randn({n, features_}, couplings[0].scale.dtype()));
}

}  // namespace glia::generative
