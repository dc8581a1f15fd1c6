// Fine-tuning with few parameters: low-rank additions to frozen weights (Hu et al., "LoRA", 2022),
// as PEFT has them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "glia/nn/layers.h"

namespace glia::llm {

class Llama;

// x W^T + scale (x A^T) B^T, once there is an addition; before, a Linear without bias.
struct LoraLinear : nn::Linear {
  LoraLinear(int64_t in_features, int64_t out_features)
      : nn::Linear(in_features, out_features, {.bias = false}) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  // The weight with what is added to it, (out, in).
  Tensor sum() const;

  Parameter lora_A, lora_B;  // (r, in), (out, r), or undefined
  double scale = 0, dropout = 0;
  GLIA_FIELDS(weight, lora_A, lora_B)
};

struct LoraOptions {
  int64_t r = 8;           // the rank
  double lora_alpha = 16;  // the addition is scaled by lora_alpha / r
  double lora_dropout = 0;
  // Of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj.
  std::vector<std::string> target_modules = {"q_proj", "v_proj"};
};
// Freezes all weights and adds A, uniform within 1 / sqrt(in), and B, zeros. Throws ValueError for
// options out of range, and where there are additions already.
void add_lora(Llama& model, const LoraOptions& options = {});
// Puts the sums in place of the weights, takes the additions away and thaws the weights.
void merge_lora(Llama& model);

// What was added to a model, under PEFT's names: a module for optimizers, checkpoints and files.
class LoraAdapters : public nn::Module {
 public:
  explicit LoraAdapters(const Llama& model);
  void visit_fields(nn::FieldVisitor& visitor) const override;

 private:
  std::vector<std::pair<std::string, Parameter>> all_;
};

}  // namespace glia::llm
