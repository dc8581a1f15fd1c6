// Adagrad.
#include <limits>

#include "glia/ops.h"
#include "glia/optim.h"
#include "optim/decay.h"

namespace glia::optim {
namespace {

enum Option { kLr, kLrDecay, kWeightDecay, kInitial, kEps, kMaximize };

std::vector<double> values(const AdagradOptions& o) {
  return {o.lr, o.lr_decay, o.weight_decay, o.initial_accumulator_value, o.eps, 1.0 * o.maximize};
}

// {p, g, sum} with {lr, sign, weight decay, eps}.
template <bool decays>
std::vector<Tensor> adapt(const std::vector<Tensor>& in, const std::vector<Tensor>& s) {
  const Tensor g = decayed<decays>(in[1] * s[1], in[0], s[2]);
  const Tensor sum = in[2] + g * g;
  return {in[0] - s[0] * g / (sqrt(sum) + s[3]), sum};
}

}  // namespace

Adagrad::Adagrad(const ParameterList& parameters, const AdagradOptions& options)
    : Elementwise("adagrad", {"lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps",
                              "maximize"}) {
  add_param_group(parameters, options);
}

void Adagrad::add_param_group(const ParameterList& parameters, const AdagradOptions& options) {
  add_group(parameters, values(options));
}

void Adagrad::check(const Options& o) const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (Option i : {kLr, kLrDecay, kWeightDecay, kInitial, kEps}) check_range(o, i, 0, kInfinity);
}

std::vector<std::string_view> Adagrad::state_names(const Options&) const { return {"sum"}; }

Adagrad::Formula Adagrad::formula(const Options& o, int64_t step) const {
  const double lr = o[kLr] / (1 + static_cast<double>(step - 1) * o[kLrDecay]);
  return {o[kWeightDecay] == 0 ? adapt<false> : adapt<true>,
          {lr, o[kMaximize] != 0 ? -1.0 : 1.0, o[kWeightDecay], o[kEps]}};
}

double Adagrad::initial_state(const Options& o) const { return o[kInitial]; }

Adagrad::SparseRows Adagrad::sparse_rows(const Options& o) const {
  return o[kWeightDecay] == 0 ? SparseRows::kUpdated : SparseRows::kDensified;
}

}  // namespace glia::optim
