#include "glia/vision/networks.h"

#include <algorithm>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/runtime.h"
#include "parts.h"

namespace glia::vision {
namespace {

const Makers& makers() {
  static const Makers all = [] {
    Makers out;
    for (const auto& family : {plain_networks, resnets, densenets, mobilenets, efficientnets,
                               convnexts, transformers, segmenters})
      out.merge(family());
    return out;
  }();
  return all;
}

}  // namespace

Network::Network(std::string name, std::string head_name, const NetworkOptions& options)
    : name_(std::move(name)), head_name_(std::move(head_name)), options_(options) {}

Tensor Network::operator()(const Tensor& x, Where where) const {
  if (x.rank() != 4 || x.size(3) != options_.channels)
    throw ShapeError(name_ + ": takes pictures (N, H, W, " + std::to_string(options_.channels) +
                         "), not " + x.shape().str(),
                     where);
  return head(features(x));
}

std::shared_ptr<Network> make_network(const std::string& name, const NetworkOptions& options) {
  const auto found = makers().find(name);
  if (found == makers().end()) {
    std::string known;
    for (const auto& [other, make] : makers()) known += (known.empty() ? "" : ", ") + other;
    throw Error("unknown network '" + name + "' (known: " + known + ")");
  }
  constexpr int64_t kMost = 1 << 20;
  const auto check = [&](const char* what, int64_t value) {
    if (value < 1 || value > kMost)
      throw ShapeError(name + ": " + std::to_string(value) + " " + what);
  };
  check("classes", options.classes);
  check("channels", options.channels);
  check("pixels of image_size", options.image_size);
  return found->second(options);
}

std::vector<std::string> network_names() {
  std::vector<std::string> all;
  for (const auto& [name, make] : makers()) all.push_back(name);
  return all;
}

NetworkCost cost_of(const Network& network, int64_t size) {
  NetworkCost cost;
  for (const auto& [name, p] : network.named_parameters()) {
    cost.parameters += p.shape().numel();
    cost.parameter_bytes += p.shape().numel() * static_cast<int64_t>(size_of(p.dtype()));
  }
  const NoGrad no_grad;
  const std::shared_ptr<Network> fresh = make_network(network.name(), network.options());
  fresh->load_state_dict(network.state_dict());
  fresh->eval();
  for (const auto& [name, p] : fresh->named_parameters()) eval(p.tensor());
  const Tensor x = zeros({1, size, size, network.options().channels});
  eval(x);
  profile_start({.gb_per_s = 1, .gflop_per_s = 1, .bf16_gflop_per_s = 1});
  try {
    eval((*fresh)(x));
  } catch (...) {
    profile_stop();
    throw;
  }
  const Profile profile = profile_stop();
  for (const ProfileRow& row : profile.rows) cost.flops += row.flops;
  cost.memory_bytes = profile.plan_bytes;
  return cost;
}

}  // namespace glia::vision
