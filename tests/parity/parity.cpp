// Glia's side of the comparison with PyTorch: reads what parity.py has written to a folder,
// computes, and writes the results there.
//   parity ops FOLDER               inputs.safetensors -> outputs.safetensors
//   parity print FOLDER             arrays.safetensors -> texts, each with a zero behind it
//   parity train mlp|cnn FOLDER [bf16]
//                                   states and batches -> losses, final state, logits
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>

#include "glia/autodiff.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/sparse.h"
#include "glia/vision/models.h"
#include "tests/parity/functions.h"
#include "tests/parity/losses.h"

namespace glia {
namespace {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

BagOptions bags(BagMode mode, std::optional<int64_t> padding = {}) {
  BagOptions options;
  options.mode = mode;
  options.sparse = true;
  options.padding_idx = padding;
  return options;
}

// Three steps of an optimizer on row-sparse gradients of a table.
template <class Optimizer, class Options>
Tensor sparse_steps(const Tensor& weight, const Tensor& ids, const Options& options) {
  nn::EmbeddingBag bag(weight.size(0), weight.size(1), bags(BagMode::kSum));
  bag.to(weight.dtype());
  bag.weight = stop_gradient(weight);
  Optimizer optimizer(bag.parameters(), options);
  for (int i = 0; i < 3; ++i) optimizer.step(gradients(sum(square(bag(ids))), bag.parameters()));
  return bag.weight.tensor();
}

// Steps on two matrices and a vector, by the gradients of a loss that all of them are in.
template <class Optimizer, class Options>
Tensor general_steps(const std::vector<Tensor>& start, const Options& options, int steps = 10) {
  std::vector<Parameter> p(start.begin(), start.end());
  ParameterList list;
  for (const Parameter& each : p)
    if (!std::is_same_v<Optimizer, optim::Muon> || each.shape().rank() == 2) list.push_back(each);
  Optimizer optimizer(list, options);
  for (int i = 0; i < steps; ++i)
    optimizer.step([&] {
      const Tensor hidden = tanh(matmul(p[0], p[1]) + p[2]);
      return mean(square(hidden - 0.3)) + 0.01 * sum(square(p[0]));
    });
  std::vector<Tensor> flat;
  for (const Parameter& each : p) flat.push_back(reshape(each, {-1}));
  return concat(flat, 0);
}

// Rosenbrock's valley, from wherever it begins.
Tensor valley(const Tensor& start, const optim::LBFGSOptions& options, int steps) {
  const Parameter x(start);
  ParameterList list;
  list.push_back(x);
  optim::LBFGS optimizer(list, options);
  std::vector<Tensor> losses;
  for (int i = 0; i < steps; ++i)
    losses.push_back(optimizer.step([&] {
      const Tensor v = x;
      const Tensor a = slice(v, 0, {0, -1}), b = slice(v, 0, {1});
      return sum(100 * square(b - square(a)) + square(1 - a));
    }));
  return concat({x, stack(losses)}, 0);
}

// An average of weights over ten steps of gradient descent.
Tensor averaged(const Tensor& start, const optim::AverageOptions& options) {
  const Parameter x(start);
  ParameterList list;
  list.push_back(x);
  optim::SGD optimizer(list, {.lr = 0.1});
  optim::AveragedParameters average(list, options);
  for (int i = 0; i < 10; ++i) {
    optimizer.step([&] { return sum(square(square(x) - 1)); });
    average.update();
  }
  return average.values()[0];
}

// Class weights that are no inputs of a derivative: (i + 1) / 10.
Tensor tenths(const Tensor& integers, const Tensor& like) {
  return cast(integers + 1, like.dtype()) / 10;
}

// The norm and all clipped gradients.
Tensor clipped(const std::vector<Tensor>& gradients, double norm_type) {
  const auto [scaled, norm] = optim::clip_grad_norm(gradients, 0.5, norm_type);
  std::vector<Tensor> parts{reshape(norm, {1})};
  for (const Tensor& g : scaled) parts.push_back(reshape(g, {-1}));
  return concat(parts, 0);
}

Tensor in_bf16(const std::function<Tensor()>& f) {
  const Autocast half(kBF16);
  return f();
}

const std::map<std::string, Function>& functions() {
#define F(expression) [](const std::vector<Tensor>& t) -> Tensor { return expression; }
#define HALF(expression) F(in_bf16([&] { return expression; }))
  static std::map<std::string, Function> all{
      {"neg", F(-t[0])},
      {"abs", F(abs(t[0]))},
      {"sign", F(sign(t[0]))},
      {"square", F(square(t[0]))},
      {"reciprocal", F(reciprocal(t[0]))},
      {"sqrt", F(sqrt(t[0]))},
      {"rsqrt", F(rsqrt(t[0]))},
      {"exp", F(exp(t[0]))},
      {"expm1", F(expm1(t[0]))},
      {"log", F(log(t[0]))},
      {"log1p", F(log1p(t[0]))},
      {"sin", F(sin(t[0]))},
      {"cos", F(cos(t[0]))},
      {"tanh", F(tanh(t[0]))},
      {"erf", F(erf(t[0]))},
      {"floor", F(floor(t[0]))},
      {"ceil", F(ceil(t[0]))},
      {"round", F(round(t[0]))},
      {"relu", F(relu(t[0]))},
      {"leaky_relu", F(leaky_relu(t[0]))},
      {"elu", F(elu(t[0]))},
      {"sigmoid", F(sigmoid(t[0]))},
      {"log_sigmoid", F(log_sigmoid(t[0]))},
      {"softplus", F(softplus(t[0]))},
      {"silu", F(silu(t[0]))},
      {"gelu", F(gelu(t[0]))},
      {"clamp", F(clamp(t[0], -1, 1.5))},
      {"add", F(t[0] + t[1])},
      {"sub", F(t[0] - t[1])},
      {"mul", F(t[0] * t[1])},
      {"div", F(t[0] / t[1])},
      {"pow", F(pow(t[0], t[1]))},
      {"pow_0", F(pow(t[0], 0))},
      {"pow_half", F(pow(t[0], 0.5))},
      {"pow_inverse", F(pow(t[0], -1))},
      {"pow_3", F(pow(t[0], 3))},
      {"where_root", F(where(t[0] > 0, sqrt(t[0]), 0))},
      {"where_safe_root", F(where(t[0] > 0, sqrt(where(t[0] > 0, t[0], 1)), 0))},
      {"length", F(sqrt(sum(square(t[0]), {1})))},
      {"maximum", F(maximum(t[0], t[1]))},
      {"minimum", F(minimum(t[0], t[1]))},
      {"atan2", F(atan2(t[0], t[1]))},
      {"floor_divide", F(floor_divide(t[0], t[1]))},
      {"remainder", F(remainder(t[0], t[1]))},
      {"less", F(t[0] < t[1])},
      {"where", F(where(t[0] < t[1], t[0], t[1]))},
      {"sum", F(sum(t[0], {0, 2}))},
      {"prod", F(prod(t[0], {1}))},
      {"max", F(max(t[0], {1}))},
      {"min", F(min(t[0], {-1}, true))},
      {"mean", F(mean(t[0], {-1}))},
      {"var", F(var(t[0], {0, 1}))},
      {"argmax", F(argmax(t[0], 1))},
      {"cumsum", F(cumsum(t[0], 1))},
      {"cumprod", F(cumprod(t[0], 1))},
      {"sort", F(sort(t[0], 1).first)},
      {"argsort", F(argsort(t[0], 1, true))},
      {"topk", F(topk(t[0], 2, 1).first)},
      {"permute", F(permute(t[0], {2, 0, 1}))},
      {"slice", F(slice(t[0], 1, {1, Slice::kNone, 2}))},
      {"flip", F(flip(t[0], {0, 2}))},
      {"pad", F(pad(t[0], {{0, 1}, {2, 0}, {1, 1}}, 0.5))},
      {"concat", F(concat({t[0], t[1]}, 1))},
      {"take", F(take(t[0], t[1], 1))},
      {"gather", F(gather(t[0], t[1], 1))},
      {"index_add", F(index_add(t[0], t[1], t[2], 1))},
      {"scatter_add", F(scatter_add(t[0], t[1], t[2], 1))},
      {"embedding_sparse", F(embedding(t[1], t[0], {.padding_idx = 2, .sparse = true}))},
      {"embedding_bag", F(embedding_bag(t[1], t[0], {}, t[2], bags(BagMode::kSum)))},
      {"embedding_bag_mean", F(embedding_bag(t[1], t[0], t[2], {}, bags(BagMode::kMean, 1)))},
      {"embedding_bag_max", F(embedding_bag(t[1], t[0], t[2], {}, bags(BagMode::kMax)))},
      {"adagrad_sparse",
       F(sparse_steps<optim::Adagrad>(
           t[0], t[1],
           optim::AdagradOptions{.lr = 0.1, .lr_decay = 0.05, .initial_accumulator_value = 0.1}))},
      {"sgd_sparse", F(sparse_steps<optim::SGD>(t[0], t[1], optim::SGDOptions{.lr = 0.01}))},
      {"sparse_adam",
       F(sparse_steps<optim::SparseAdam>(t[0], t[1], optim::SparseAdamOptions{.lr = 0.1}))},
      {"muon", F(general_steps<optim::Muon>(t, optim::MuonOptions{.lr = 0.02}))},
      {"muon_rms", F(general_steps<optim::Muon>(
                       t, optim::MuonOptions{.lr = 0.01,
                                             .weight_decay = 0,
                                             .nesterov = false,
                                             .adjust_lr_fn = optim::AdjustLr::kMatchRmsAdamW}))},
      {"adafactor", F(general_steps<optim::Adafactor>(t, optim::AdafactorOptions{.lr = 0.1}))},
      {"adafactor_decay", F(general_steps<optim::Adafactor>(
                              t, optim::AdafactorOptions{.beta2_decay = -0.5,
                                                         .eps = {1e-4, 1e-2},
                                                         .d = 2,
                                                         .weight_decay = 0.1}))},
      {"lbfgs",
       F(general_steps<optim::LBFGS>(t, optim::LBFGSOptions{.lr = 0.3, .max_iter = 4}, 2))},
      {"lbfgs_wolfe",
       F(general_steps<optim::LBFGS>(
           t, optim::LBFGSOptions{.max_iter = 4, .line_search_fn = optim::LineSearch::kStrongWolfe},
           2))},
      {"lbfgs_valley", F(valley(t[0], {.lr = 1e-3}, 5))},
      {"lbfgs_valley_wolfe",
       F(valley(
           t[0],
           {.max_iter = 7, .history_size = 3, .line_search_fn = optim::LineSearch::kStrongWolfe},
           4))},
      {"ema", F(averaged(t[0], {.decay = 0.9}))},
      {"swa", F(averaged(t[0], {.decay = {}}))},
      {"spmm", F(spmm(Csr::from_coo(t[1], t[2], t[3], {6, t[0].size(0)}), t[0]))},
      {"matmul", F(matmul(t[0], t[1]))},
      {"matmul_batched", F(matmul(t[0], t[1]))},
      {"linear", F(linear(t[0], t[1], t[2]))},
      {"conv2d", F(conv2d(t[0], t[1], t[2], {.stride = {2, 1}, .padding = {1, 1}}))},
      {"conv2d_groups", F(conv2d(t[0], t[1], {}, {.dilation = {1, 2}, .groups = 2}))},
      {"max_pool2d", F(max_pool2d(t[0], {3, 2}, {.stride = {2, 2}, .padding = {1, 1}}))},
      {"avg_pool2d", F(avg_pool2d(t[0], {2, 2}))},
      {"softmax", F(softmax(t[0], 1))},
      {"log_softmax", F(log_softmax(t[0]))},
      {"logsumexp", F(logsumexp(t[0], {1}))},
      {"cross_entropy", F(cross_entropy(t[0], t[1]))},
      {"cross_entropy_smooth", F(cross_entropy(t[0], t[1], {.label_smoothing = 0.1}))},
      {"nll_loss", F(nll_loss(log_softmax(t[0]), t[1]))},
      {"mse_loss", F(mse_loss(t[0], t[1]))},
      {"l1_loss", F(l1_loss(t[0], t[1]))},
      {"smooth_l1_loss", F(smooth_l1_loss(t[0], t[1], 0.7))},
      {"bce_with_logits", F(binary_cross_entropy_with_logits(t[0], t[1]))},
      {"cross_entropy_weight",
       F(cross_entropy(t[0], t[1], {.ignore_index = 2, .weight = tenths(t[2], t[0])}))},
      {"cross_entropy_weight_smooth",
       F(cross_entropy(t[0], t[1],
                       {.label_smoothing = 0.2, .ignore_index = 2, .weight = tenths(t[2], t[0])}))},
      {"cross_entropy_weight_each",
       F(cross_entropy(
           t[0], t[1],
           {.label_smoothing = 0.2, .reduction = Reduction::kNone, .weight = tenths(t[2], t[0])}))},
      {"cross_entropy_weight_soft",
       F(cross_entropy(t[0], softmax(t[1]),
                       {.label_smoothing = 0.2, .weight = tenths(t[2], t[0])}))},
      {"nll_loss_weight",
       F(nll_loss(log_softmax(t[0]), t[1], {.ignore_index = 2, .weight = tenths(t[2], t[0])}))},
      {"bce_weight",
       F(binary_cross_entropy_with_logits(
           t[0], t[1], {.weight = tenths(t[2], t[0]), .pos_weight = tenths(t[3], t[0])}))},
      {"nan_to_num", F(nan_to_num(log(t[0])))},
      {"nan_to_num_given", F(nan_to_num(log(t[0]), 0.5, 4, -3))},
      {"smooth_l1_far", F(smooth_l1_loss(log(t[0]), t[1], 1, Reduction::kNone))},
      {"max_nan", F(max(log(t[0])))},
      {"amax_nan", F(max(log(t[0]), {1}))},
      {"clip_norm_0", F(clipped(t, 0))},
      {"clip_norm_1", F(clipped(t, 1))},
      {"clip_norm_2", F(clipped(t, 2))},
      {"clip_norm_3", F(clipped(t, 3))},
      {"clip_norm_minus_1", F(clipped(t, -1))},
      {"clip_norm_largest", F(clipped(t, INFINITY))},
      {"clip_norm_least", F(clipped(t, -INFINITY))},
      {"exact_sum", F(sum(t[0]))},
      {"exact_sum_rows", F(sum(t[0], {-1}))},
      {"exact_sum_columns", F(sum(t[0], {0}))},
      {"exact_mean", F(mean(t[0]))},
      {"exact_mean_rows", F(mean(t[0], {-1}))},
      {"exact_mean_columns", F(mean(t[0], {0}))},
      {"exact_var", F(var(t[0]))},
      {"exact_var_rows", F(var(t[0], {-1}))},
      {"exact_var_columns", F(var(t[0], {0}))},
      {"exact_cumsum", F(cumsum(t[0], 0))},
      {"exact_cumsum_rows", F(cumsum(t[0], -1))},
      {"exact_prod_rows", F(prod(t[0], {-1}))},
      {"exact_prod_columns", F(prod(t[0], {0}))},
      {"exact_cumprod", F(cumprod(t[0], 0))},
      {"exact_logsumexp", F(logsumexp(t[0]))},
      {"exact_logsumexp_columns", F(logsumexp(t[0], {0}))},
      {"exact_softmax", F(softmax(t[0]))},
      {"exact_log_softmax", F(log_softmax(t[0]))},
      {"exact_length", F(sqrt(sum(square(t[0]), {-1})))},
      {"exact_layer_norm", F(layer_norm(t[0], {}, {}))},
      {"exact_batch_norm", F(batch_norm(t[0], {}, {}).out)},
      {"exact_mse_loss", F(mse_loss(t[0], flip(t[0], {0})))},
      {"exact_l1_loss", F(l1_loss(t[0], flip(t[0], {0})))},
      {"exact_smooth_l1_loss", F(smooth_l1_loss(t[0], flip(t[0], {0})))},
      {"exact_cross_entropy", F(cross_entropy(t[0], t[1], {.reduction = Reduction::kNone}))},
      {"exact_cross_entropy_mean", F(cross_entropy(t[0], t[1]))},
      {"exact_nll_loss", F(nll_loss(t[0], t[1]))},
      {"exact_bce", F(binary_cross_entropy_with_logits(t[0], full(t[0].shape(), 0.25)))},
      {"layer_norm", F(layer_norm(t[0], t[1], t[2]))},
      {"batch_norm", F(batch_norm(t[0], t[1], t[2]).out)},
      {"lstm", F(lstm(t[0], t[1], t[2], t[3], t[4], t[5], t[6]).out)},
      {"lstm_cell", F(lstm(t[0], t[1], t[2], t[3], t[4], t[5], t[6]).c)},
      {"gru", F(gru(t[0], t[1], t[2], t[3], t[4], t[5]).out)},
      {"rnn", F(rnn(t[0], t[1], t[2], t[3], t[4], t[5]).out)},
      {"attention", F(scaled_dot_product_attention(t[0], t[1], t[2]))},
      {"attention_causal",
       F(scaled_dot_product_attention(t[0], t[1], t[2], {.is_causal = true, .scale = 0.7}))},
      {"autocast_matmul", HALF(matmul(t[0], t[1]))},
      {"autocast_linear", HALF(linear(t[0], t[1], t[2]))},
      {"autocast_conv2d", HALF(conv2d(t[0], t[1], t[2], {.stride = {2, 1}, .padding = {1, 1}}))},
      {"autocast_pool", HALF(max_pool2d(conv2d(t[0], t[1]), 2))},
      {"autocast_attention", HALF(scaled_dot_product_attention(t[0], t[1], t[2]))},
      {"autocast_loss", HALF(cross_entropy(linear(relu(linear(t[0], t[1])), t[2]), t[3]))},
  };
#undef HALF
#undef F
  [[maybe_unused]] static const bool functions_too = (all.merge(array_functions()), true);
  [[maybe_unused]] static const bool merged = (all.merge(loss_functions()), true);
  return all;
}

// Tensors under "CASE/in0", "CASE/in1", ... and "CASE/weight", which the result's gradient is.
// CASE is a function's name, then "." and what distinguishes it. "NAME+NAME.more" are several
// functions of the same inputs; a result is called as if it were alone.
void compute_ops(const std::string& folder) {
  struct Case {
    std::vector<Tensor> in;
    Tensor weight;
  };
  std::map<std::string, Case> cases;
  for (const auto& [key, value] : io::read_safetensors(folder + "/inputs.safetensors")) {
    const size_t slash = key.find('/');
    Case& c = cases[key.substr(0, slash)];
    if (key.substr(slash + 1) == "weight")
      c.weight = value;
    else
      c.in.push_back(is_float(value.dtype()) ? trainable(value) : value);
  }
  io::NamedTensors results;
  for (const auto& [name, c] : cases) {
    const std::string names = name.substr(0, name.find('.'));
    Tensor y;
    std::string one;
    for (std::istringstream all(names); std::getline(all, one, '+');) {
      const auto function = functions().find(one);
      if (function == functions().end()) throw Error("no function for " + name);
      y = function->second(c.in);
      results.emplace_back(one + name.substr(names.size()) + "/out", y);
    }
    if (!c.weight.defined()) continue;
    std::vector<Tensor> by;
    for (const Tensor& t : c.in) {
      if (t.requires_grad()) by.push_back(t);
    }
    const std::vector<Tensor> g = gradients(y, by, cast(c.weight, y.dtype()));
    for (size_t i = 0, k = 0; i < c.in.size(); ++i) {
      if (c.in[i].requires_grad()) results.emplace_back(name + "/grad" + std::to_string(i), g[k++]);
    }
  }
  io::write_safetensors(folder + "/outputs.safetensors", results);
}

void print_arrays(const std::string& folder) {
  std::ofstream out(folder + "/texts", std::ios::binary);
  for (const auto& [name, value] : io::read_safetensors(folder + "/arrays.safetensors"))
    out << value.str() << '\0';
}

// States are named "STEP/KEY", and loaded before that step. The dtype is that of the images.
template <class Model>
void train(const std::string& folder, DType dtype) {
  Model model;
  Tensor images, labels;
  for (const auto& [key, value] : io::read_safetensors(folder + "/batches.safetensors"))
    (key == "images" ? images : labels) = value;
  model.to(images.dtype());
  std::map<int64_t, StateDict> states;
  for (const auto& [key, value] : io::read_safetensors(folder + "/states.safetensors"))
    states[std::stoll(key)].emplace_back(key.substr(key.find('/') + 1), value);
  optim::AdamW optimizer(model.parameters(), {.lr = 1e-3});
  std::vector<double> losses;
  for (int64_t i = 0; i < images.size(0); ++i) {
    if (states.contains(i)) model.load_state_dict(states[i]);
    const Autocast products(dtype);
    const Tensor loss = cross_entropy(model(index(images, {i})), index(labels, {i}));
    optimizer.step(gradients(loss, model.parameters()));
    losses.push_back(loss.item());
  }
  io::write_npy(folder + "/losses.npy", from_vector(losses, {static_cast<int64_t>(losses.size())}));
  io::write_safetensors(folder + "/final.safetensors", model.state_dict());
  model.eval();
  io::write_npy(folder + "/logits.npy", model(index(images, {0})));
}

int run(const std::vector<std::string>& arguments) {
  const bool half = arguments.size() == 4 && arguments[3] == "bf16";
  const bool trains = (arguments.size() == 3 || half) && arguments[0] == "train";
  if (arguments.size() == 2 && arguments[0] == "ops") {
    compute_ops(arguments[1]);
  } else if (arguments.size() == 2 && arguments[0] == "print") {
    print_arrays(arguments[1]);
  } else if (trains && arguments[1] == "mlp") {
    train<vision::Mlp>(arguments[2], half ? kBF16 : kF32);
  } else if (trains && arguments[1] == "cnn") {
    train<vision::Cnn>(arguments[2], half ? kBF16 : kF32);
  } else {
    std::fprintf(stderr, "usage: parity ops|print FOLDER | parity train mlp|cnn FOLDER [bf16]\n");
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace glia

int main(int argc, char** argv) {
  try {
    return glia::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "parity: %s\n", error.what());
    return 2;
  }
}
