#include "glia/llm/lora.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/error.h"
#include "glia/llm/llama.h"
#include "glia/ops/normalize.h"
#include "glia/random.h"

namespace glia::llm {
namespace {

// Calls f(name, layer) for each layer that may have an addition.
template <class Model, class F>
void for_layers(Model& model, F&& f) {
  int64_t i = 0;
  for (auto& layer : model.model.layers) {
    const auto at = [&, prefix = fmt::format("model.layers.{}.", i++)](
                        const char* part, const char* name, auto& one) {
      f(prefix + part + name, std::string(name), one);
    };
    auto& a = layer.self_attn;
    at("self_attn.", "q_proj", a.q_proj);
    at("self_attn.", "k_proj", a.k_proj);
    at("self_attn.", "v_proj", a.v_proj);
    at("self_attn.", "o_proj", a.o_proj);
    at("mlp.", "gate_proj", layer.mlp.gate_proj);
    at("mlp.", "up_proj", layer.mlp.up_proj);
    at("mlp.", "down_proj", layer.mlp.down_proj);
  }
}

constexpr const char* kTargets[] = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                    "gate_proj", "up_proj", "down_proj"};

}  // namespace

Tensor LoraLinear::operator()(const Tensor& x, Where where) const {
  const Tensor y = nn::Linear::operator()(x, where);
  if (!lora_A.defined()) return y;
  const Tensor in = is_training() && dropout > 0 ? glia::dropout(x, dropout) : x;
  return y + linear(linear(in, lora_A), lora_B) * scale;
}

Tensor LoraLinear::sum() const {
  const Tensor w = weight;
  return lora_A.defined() ? w + matmul(lora_B, lora_A) * scale : w;
}

void add_lora(Llama& model, const LoraOptions& o) {
  const bool fits = o.r >= 1 && o.r <= model.config.hidden_size && std::isfinite(o.lora_alpha) &&
                    o.lora_dropout >= 0 && o.lora_dropout < 1 && !o.target_modules.empty();
  if (!fits)
    throw ValueError("add_lora: r, lora_alpha, lora_dropout or target_modules is out of range");
  for (const std::string& name : o.target_modules)
    if (std::ranges::find(kTargets, name) == std::end(kTargets))
      throw ValueError(
          fmt::format("add_lora: '{}' is none of {}", name, fmt::join(kTargets, ", ")));
  for_layers(model, [](const std::string& name, const std::string&, LoraLinear& layer) {
    if (layer.lora_A.defined()) throw ValueError("add_lora: there is an addition to " + name);
  });
  model.freeze();
  for_layers(model, [&](const std::string&, const std::string& name, LoraLinear& layer) {
    if (std::ranges::find(o.target_modules, name) == o.target_modules.end()) return;
    const Shape& shape = layer.weight.shape();
    const double bound = 1 / std::sqrt(static_cast<double>(shape[1]));
    layer.lora_A = uniform({o.r, shape[1]}, -bound, bound);
    layer.lora_B = zeros({shape[0], o.r});
    layer.scale = o.lora_alpha / static_cast<double>(o.r);
    layer.dropout = o.lora_dropout;
  });
}

void merge_lora(Llama& model) {
  for_layers(model, [](const std::string&, const std::string&, LoraLinear& layer) {
    if (!layer.lora_A.defined()) return;
    layer.weight = stop_gradient(layer.sum());
    layer.lora_A = Parameter();
    layer.lora_B = Parameter();
  });
  model.unfreeze();
}

LoraAdapters::LoraAdapters(const Llama& model) {
  for_layers(model, [&](const std::string& name, const std::string&, const LoraLinear& layer) {
    if (!layer.lora_A.defined()) return;
    const std::string full = "base_model.model." + name;
    all_.emplace_back(full + ".lora_A.weight", layer.lora_A.alias());
    all_.emplace_back(full + ".lora_B.weight", layer.lora_B.alias());
  });
  if (all_.empty()) throw ValueError("LoraAdapters: nothing was added to the model");
}

void LoraAdapters::visit_fields(nn::FieldVisitor& visitor) const {
  for (const auto& [name, value] : all_) visitor.parameter(name, value);
}

}  // namespace glia::llm
