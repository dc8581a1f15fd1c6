// NAdam, RAdam, Adamax, Adadelta, RMSprop, Rprop, Lion and ASGD.
#include "glia/optim/adaptive.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "glia/ops.h"
#include "optim/decay.h"

namespace glia::optim {
namespace {

using Tensors = std::vector<Tensor>;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

double sign_of(double maximize) { return maximize != 0 ? -1 : 1; }

// Scalars 0 and 1 of every rule with a decay: the gradient's sign and the decay added to it.
template <bool decays>
Tensor gradient(const Tensors& in, const Tensors& s) {
  return decayed<decays>(in[1] * s[0], in[0], s[1]);
}

// x, made to depend on a state of its step: one pass computes only what the parameter depends on.
Tensor with(const Tensor& x, const Tensor& not_negative) { return x + minimum(not_negative, 0); }

// {p, g, mean, square} with {sign, decay, shrinkage, 1 - beta1, beta2, 1 - beta2, root of the
// correction, eps, rate of g, rate of the mean}.
template <bool decays>
Tensors nadam(const Tensors& in, const Tensors& s) {
  const Tensor g = gradient<decays>(in, s);
  const Tensor mean = in[2] + (g - in[2]) * s[3], square = in[3] * s[4] + g * g * s[5];
  const Tensor root = sqrt(square) * s[6] + s[7];
  return {in[0] * s[2] - (s[8] * g + s[9] * mean) / root, mean, square};
}

// The same state with {..., 1 - beta2, eps, rate}.
template <bool decays, bool rectified>
Tensors radam(const Tensors& in, const Tensors& s) {
  const Tensor g = gradient<decays>(in, s);
  const Tensor mean = in[2] + (g - in[2]) * s[3], square = in[3] * s[4] + g * g * s[5];
  const Tensor step = rectified ? s[7] * mean / (sqrt(square) + s[6]) : s[7] * mean;
  return {with(in[0] * s[2] - step, square), mean, square};
}

// {p, g, mean, largest} with {sign, decay, 1 - beta1, beta2, eps, rate}.
template <bool decays>
Tensors adamax(const Tensors& in, const Tensors& s) {
  const Tensor g = gradient<decays>(in, s);
  const Tensor mean = in[2] + (g - in[2]) * s[2];
  const Tensor largest = maximum(in[3] * s[3], abs(g) + s[4]);
  return {in[0] - s[5] * mean / largest, mean, largest};
}

// {p, g, square, change} with {sign, decay, rho, 1 - rho, eps, lr}.
template <bool decays>
Tensors adadelta(const Tensors& in, const Tensors& s) {
  const Tensor g = gradient<decays>(in, s);
  const Tensor square = in[2] * s[2] + g * g * s[3];
  const Tensor change = sqrt(in[3] + s[4]) / sqrt(square + s[4]) * g;
  const Tensor next = in[3] * s[2] + change * change * s[3];
  return {with(in[0] - s[5] * change, next), square, next};
}

// {p, g, square[, momentum][, mean]} with {sign, decay, alpha, 1 - alpha, eps, lr, momentum}.
template <bool decays, bool moves, bool centered>
Tensors rmsprop(const Tensors& in, const Tensors& s) {
  const Tensor g = gradient<decays>(in, s);
  const Tensor square = in[2] * s[2] + g * g * s[3];
  Tensors state{square};
  Tensor variance = square;
  Tensor mean;
  if constexpr (centered) {
    const Tensor& before = in[moves ? 4 : 3];
    mean = before + (g - before) * s[3];
    variance = maximum(square - mean * mean, 0);  // rounding may make it negative
  }
  Tensor step = g / (sqrt(variance) + s[4]);
  if constexpr (moves) state.push_back(step = in[3] * s[6] + step);
  if constexpr (centered) state.push_back(mean);
  state.insert(state.begin(), in[0] - s[5] * step);
  return state;
}

// {p, g, previous g, step size} with {sign, lr, eta minus, eta plus, smallest, largest}. The first
// time the step size is lr, and the previous gradient nothing.
template <bool first>
Tensors rprop(const Tensors& in, const Tensors& s) {
  const Tensor g = in[1] * s[0], agrees = sign(g) * sign(in[2]);
  const Tensor same = maximum(agrees, 0), turned = maximum(-agrees, 0);
  const Tensor before = first ? in[3] + s[1] : in[3];
  const Tensor factor = same * s[3] + turned * s[2] + (1 - same - turned);
  const Tensor size = minimum(maximum(before * factor, s[4]), s[5]);
  const Tensor used = g * (1 - turned);
  return {in[0] - sign(used) * size, used, size};
}

// {p, g, momentum} with {sign, shrinkage, lr, 1 - beta1, 1 - beta2}.
Tensors lion(const Tensors& in, const Tensors& s) {
  const Tensor g = in[1] * s[0];
  const Tensor direction = in[2] + (g - in[2]) * s[3];
  const Tensor next = in[2] + (g - in[2]) * s[4];
  return {with(in[0] * s[1] - s[2] * sign(direction), abs(next)), next};
}

// {p, g, average} with {sign, decay, shrinkage, rate, part of the new value in the average}.
template <bool decays>
Tensors asgd(const Tensors& in, const Tensors& s) {
  const Tensor next = in[0] * s[2] - s[3] * gradient<decays>(in, s);
  const Tensor average = in[2] + (next - in[2]) * s[4];
  return {with(next, abs(average)), average};
}

enum NAdamOption { kLr, kBeta1, kBeta2, kEps, kDecay, kMomentumDecay, kDecoupled, kMaximize };
enum RAdamOption { kRDecoupled = 5, kRMaximize };
enum AdadeltaOption { kRho = 1, kDeltaEps, kDeltaDecay, kDeltaMaximize };
enum RMSpropOption { kAlpha = 1, kRmsEps, kRmsDecay, kMomentum, kCentered, kRmsMaximize };
enum RpropOption { kEtaMinus = 1, kEtaPlus, kSmallest, kLargest, kRpropMaximize };
enum LionOption { kLionDecay = 3, kLionMaximize };
enum ASGDOption { kLambd = 1, kAlphaPower, kT0, kAsgdDecay, kAsgdMaximize };

// NAdam's momentum in step t, and the product of those of steps 1 to t, which is soon nothing.
double momentum_at(const std::vector<double>& o, int64_t t) {
  return o[kBeta1] * (1 - 0.5 * std::pow(0.96, static_cast<double>(t) * o[kMomentumDecay]));
}
double momentum_product(const std::vector<double>& o, int64_t t) {
  double product = 1;
  for (int64_t i = 1; i <= t && product > 1e-20; ++i) product *= momentum_at(o, i);
  return product;
}

}  // namespace

// ---- NAdam --------------------------------------------------------------------------------------

NAdam::NAdam(const ParameterList& parameters, const NAdamOptions& options)
    : Elementwise("nadam", {"lr", "betas.0", "betas.1", "eps", "weight_decay", "momentum_decay",
                            "decoupled_weight_decay", "maximize"}) {
  add_param_group(parameters, options);
}
void NAdam::add_param_group(const ParameterList& parameters, const NAdamOptions& o) {
  add_group(parameters, {o.lr, o.betas.first, o.betas.second, o.eps, o.weight_decay,
                         o.momentum_decay, 1.0 * o.decoupled_weight_decay, 1.0 * o.maximize});
}
void NAdam::check(const Options& o) const {
  for (int i : {kLr, kEps, kDecay, kMomentumDecay}) check_range(o, i, 0, kInfinity);
  for (int i : {kBeta1, kBeta2}) check_range(o, i, 0, 1);
}
std::vector<std::string_view> NAdam::state_names(const Options&) const {
  return {"exp_avg", "exp_avg_sq"};
}
NAdam::Formula NAdam::formula(const Options& o, int64_t step) const {
  const bool coupled = o[kDecay] != 0 && o[kDecoupled] == 0;
  const double now = momentum_at(o, step), next = momentum_at(o, step + 1);
  const double product = momentum_product(o, step);
  return {coupled ? nadam<true> : nadam<false>,
          {sign_of(o[kMaximize]), o[kDecay], o[kDecoupled] != 0 ? 1 - o[kLr] * o[kDecay] : 1,
           1 - o[kBeta1], o[kBeta2], 1 - o[kBeta2], 1 / std::sqrt(1 - std::pow(o[kBeta2], step)),
           o[kEps], o[kLr] * (1 - now) / (1 - product), o[kLr] * next / (1 - product * next)}};
}

// ---- RAdam --------------------------------------------------------------------------------------

RAdam::RAdam(const ParameterList& parameters, const RAdamOptions& options)
    : Elementwise("radam", {"lr", "betas.0", "betas.1", "eps", "weight_decay",
                            "decoupled_weight_decay", "maximize"}) {
  add_param_group(parameters, options);
}
void RAdam::add_param_group(const ParameterList& parameters, const RAdamOptions& o) {
  add_group(parameters, {o.lr, o.betas.first, o.betas.second, o.eps, o.weight_decay,
                         1.0 * o.decoupled_weight_decay, 1.0 * o.maximize});
}
void RAdam::check(const Options& o) const {
  for (int i : {kLr, kEps, kDecay}) check_range(o, i, 0, kInfinity);
  for (int i : {kBeta1, kBeta2}) check_range(o, i, 0, 1);
}
std::vector<std::string_view> RAdam::state_names(const Options&) const {
  return {"exp_avg", "exp_avg_sq"};
}
RAdam::Formula RAdam::formula(const Options& o, int64_t step) const {
  const bool coupled = o[kDecay] != 0 && o[kRDecoupled] == 0;
  const double power = std::pow(o[kBeta2], step), most = 2 / (1 - o[kBeta2]) - 1;
  const double length = most - 2 * static_cast<double>(step) * power / (1 - power);
  const bool rectified = length > 5;
  double rate = o[kLr] / (1 - std::pow(o[kBeta1], step));
  if (rectified)
    rate *= std::sqrt((1 - power) * (length - 4) * (length - 2) * most /
                      ((most - 4) * (most - 2) * length));
  const Rule rule = rectified ? (coupled ? radam<true, true> : radam<false, true>)
                              : (coupled ? radam<true, false> : radam<false, false>);
  return {rule,
          {sign_of(o[kRMaximize]), o[kDecay], o[kRDecoupled] != 0 ? 1 - o[kLr] * o[kDecay] : 1,
           1 - o[kBeta1], o[kBeta2], 1 - o[kBeta2], o[kEps], rate}};
}

// ---- Adamax -------------------------------------------------------------------------------------

Adamax::Adamax(const ParameterList& parameters, const AdamaxOptions& options)
    : Elementwise("adamax", {"lr", "betas.0", "betas.1", "eps", "weight_decay", "maximize"}) {
  add_param_group(parameters, options);
}
void Adamax::add_param_group(const ParameterList& parameters, const AdamaxOptions& o) {
  add_group(parameters,
            {o.lr, o.betas.first, o.betas.second, o.eps, o.weight_decay, 1.0 * o.maximize});
}
void Adamax::check(const Options& o) const {
  for (int i : {kLr, kEps, kDecay}) check_range(o, i, 0, kInfinity);
  for (int i : {kBeta1, kBeta2}) check_range(o, i, 0, 1);
}
std::vector<std::string_view> Adamax::state_names(const Options&) const {
  return {"exp_avg", "exp_inf"};
}
Adamax::Formula Adamax::formula(const Options& o, int64_t step) const {
  return {o[kDecay] != 0 ? adamax<true> : adamax<false>,
          {sign_of(o[5]), o[kDecay], 1 - o[kBeta1], o[kBeta2], o[kEps],
           o[kLr] / (1 - std::pow(o[kBeta1], step))}};
}

// ---- Adadelta -----------------------------------------------------------------------------------

Adadelta::Adadelta(const ParameterList& parameters, const AdadeltaOptions& options)
    : Elementwise("adadelta", {"lr", "rho", "eps", "weight_decay", "maximize"}) {
  add_param_group(parameters, options);
}
void Adadelta::add_param_group(const ParameterList& parameters, const AdadeltaOptions& o) {
  add_group(parameters, {o.lr, o.rho, o.eps, o.weight_decay, 1.0 * o.maximize});
}
void Adadelta::check(const Options& o) const {
  for (int i : {int{kLr}, int{kDeltaEps}, int{kDeltaDecay}}) check_range(o, i, 0, kInfinity);
  check_range(o, kRho, 0, std::nextafter(1, 2));
}
std::vector<std::string_view> Adadelta::state_names(const Options&) const {
  return {"square_avg", "acc_delta"};
}
Adadelta::Formula Adadelta::formula(const Options& o, int64_t) const {
  return {o[kDeltaDecay] != 0 ? adadelta<true> : adadelta<false>,
          {sign_of(o[kDeltaMaximize]), o[kDeltaDecay], o[kRho], 1 - o[kRho], o[kDeltaEps], o[kLr]}};
}

// ---- RMSprop ------------------------------------------------------------------------------------

RMSprop::RMSprop(const ParameterList& parameters, const RMSpropOptions& options)
    : Elementwise("rmsprop",
                  {"lr", "alpha", "eps", "weight_decay", "momentum", "centered", "maximize"}) {
  add_param_group(parameters, options);
}
void RMSprop::add_param_group(const ParameterList& parameters, const RMSpropOptions& o) {
  add_group(parameters,
            {o.lr, o.alpha, o.eps, o.weight_decay, o.momentum, 1.0 * o.centered, 1.0 * o.maximize});
}
void RMSprop::check(const Options& o) const {
  for (int i : {int{kLr}, int{kAlpha}, int{kRmsEps}, int{kRmsDecay}, int{kMomentum}})
    check_range(o, i, 0, kInfinity);
}
std::vector<std::string_view> RMSprop::state_names(const Options& o) const {
  std::vector<std::string_view> names{"square_avg"};
  if (o[kMomentum] != 0) names.push_back("momentum_buffer");
  if (o[kCentered] != 0) names.push_back("grad_avg");
  return names;
}
RMSprop::Formula RMSprop::formula(const Options& o, int64_t) const {
  const auto rule = [&]<bool decays>(std::bool_constant<decays>) -> Rule {
    if (o[kMomentum] != 0)
      return o[kCentered] != 0 ? rmsprop<decays, true, true> : rmsprop<decays, true, false>;
    return o[kCentered] != 0 ? rmsprop<decays, false, true> : rmsprop<decays, false, false>;
  };
  return {o[kRmsDecay] != 0 ? rule(std::true_type()) : rule(std::false_type()),
          {sign_of(o[kRmsMaximize]), o[kRmsDecay], o[kAlpha], 1 - o[kAlpha], o[kRmsEps], o[kLr],
           o[kMomentum]}};
}

// ---- Rprop --------------------------------------------------------------------------------------

Rprop::Rprop(const ParameterList& parameters, const RpropOptions& options)
    : Elementwise("rprop", {"lr", "etas.0", "etas.1", "step_sizes.0", "step_sizes.1", "maximize"}) {
  add_param_group(parameters, options);
}
void Rprop::add_param_group(const ParameterList& parameters, const RpropOptions& o) {
  add_group(parameters, {o.lr, o.etas.first, o.etas.second, o.step_sizes.first, o.step_sizes.second,
                         1.0 * o.maximize});
}
void Rprop::check(const Options& o) const {
  check_range(o, kLr, 0, kInfinity);
  check_range(o, kEtaMinus, std::numeric_limits<double>::min(), 1);
  check_range(o, kEtaPlus, std::nextafter(1, 2), kInfinity);
  check_range(o, kSmallest, 0, kInfinity);
  check_range(o, kLargest, o[kSmallest], kInfinity);
}
std::vector<std::string_view> Rprop::state_names(const Options&) const {
  return {"prev", "step_size"};
}
Rprop::Formula Rprop::formula(const Options& o, int64_t step) const {
  return {
      step == 1 ? rprop<true> : rprop<false>,
      {sign_of(o[kRpropMaximize]), o[kLr], o[kEtaMinus], o[kEtaPlus], o[kSmallest], o[kLargest]}};
}

// ---- Lion ---------------------------------------------------------------------------------------

Lion::Lion(const ParameterList& parameters, const LionOptions& options)
    : Elementwise("lion", {"lr", "betas.0", "betas.1", "weight_decay", "maximize"}) {
  add_param_group(parameters, options);
}
void Lion::add_param_group(const ParameterList& parameters, const LionOptions& o) {
  add_group(parameters, {o.lr, o.betas.first, o.betas.second, o.weight_decay, 1.0 * o.maximize});
}
void Lion::check(const Options& o) const {
  for (int i : {int{kLr}, int{kLionDecay}}) check_range(o, i, 0, kInfinity);
  for (int i : {kBeta1, kBeta2}) check_range(o, i, 0, 1);
}
std::vector<std::string_view> Lion::state_names(const Options&) const { return {"exp_avg"}; }
Lion::Formula Lion::formula(const Options& o, int64_t) const {
  return {lion,
          {sign_of(o[kLionMaximize]), 1 - o[kLr] * o[kLionDecay], o[kLr], 1 - o[kBeta1],
           1 - o[kBeta2]}};
}

// ---- ASGD ---------------------------------------------------------------------------------------

ASGD::ASGD(const ParameterList& parameters, const ASGDOptions& options)
    : Elementwise("asgd", {"lr", "lambd", "alpha", "t0", "weight_decay", "maximize"}) {
  add_param_group(parameters, options);
}
void ASGD::add_param_group(const ParameterList& parameters, const ASGDOptions& o) {
  add_group(parameters, {o.lr, o.lambd, o.alpha, o.t0, o.weight_decay, 1.0 * o.maximize});
}
void ASGD::check(const Options& o) const {
  for (int i : {int{kLr}, int{kLambd}, int{kT0}, int{kAsgdDecay}}) check_range(o, i, 0, kInfinity);
  check_range(o, kAlphaPower, -kInfinity, kInfinity);
}
std::vector<std::string_view> ASGD::state_names(const Options&) const { return {"ax"}; }
ASGD::Formula ASGD::formula(const Options& o, int64_t step) const {
  const auto before = static_cast<double>(step - 1);
  const double rate = o[kLr] / std::pow(1 + o[kLambd] * o[kLr] * before, o[kAlphaPower]);
  return {o[kAsgdDecay] != 0 ? asgd<true> : asgd<false>,
          {sign_of(o[kAsgdMaximize]), o[kAsgdDecay], 1 - o[kLambd] * rate, rate,
           1 / std::max(1.0, before - o[kT0])}};
}
std::vector<Tensor> ASGD::averages() {
  std::vector<Tensor> out;
  for (const Slot& slot : slots())
    out.push_back(slot.steps == 0 ? slot.parameter.tensor() : slot.state.at(0).tensor());
  return out;
}

}  // namespace glia::optim
