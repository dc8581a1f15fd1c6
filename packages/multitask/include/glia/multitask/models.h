// Networks for several tasks on one input (Caruana 1997): what tasks share, and what each has for
// itself. Parts are nn::Sequential, made by functions, so that each has weights of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "glia/nn.h"

namespace glia::multitask {

using MakePart = std::function<nn::Sequential()>;

// One input, an output of each task.
class Model : public nn::Module {
 public:
  virtual std::vector<Tensor> operator()(const Tensor& x) const = 0;
  // The trainable parameters that all losses depend on, whose gradients a Weighting combines.
  virtual ParameterList shared_parameters() const = 0;
  virtual size_t tasks() const = 0;
};

// One trunk and a head for each task. The trunk's output goes to every head.
class HardSharing : public Model {
 public:
  HardSharing(const MakePart& trunk, const std::vector<MakePart>& heads);
  std::vector<Tensor> operator()(const Tensor& x) const override;
  ParameterList shared_parameters() const override { return trunk.parameters(); }
  size_t tasks() const override { return heads.size(); }

  nn::Sequential trunk;
  std::vector<nn::Sequential> heads;
  GLIA_FIELDS(trunk, heads)
};

// A network for each task and nothing shared: what sharing is compared with.
class Separate : public Model {
 public:
  Separate(const MakePart& trunk, const std::vector<MakePart>& heads);
  std::vector<Tensor> operator()(const Tensor& x) const override;
  ParameterList shared_parameters() const override { return {}; }
  size_t tasks() const override { return heads.size(); }

  std::vector<nn::Sequential> trunks, heads;
  GLIA_FIELDS(trunks, heads)
};

struct CrossStitchOptions {
  double same = 0.9, other = 0.1;  // of a task's own values, and in all of the other tasks'
};
// A network for each task, whose values are mixed after each stage by learnt weights, one for each
// two tasks and channel (Misra et al. 2016). All but the heads is shared.
class CrossStitch : public Model {
 public:
  // `channels` is the size of the last axis behind each stage.
  CrossStitch(const std::vector<MakePart>& stages, const std::vector<int64_t>& channels,
              const std::vector<MakePart>& heads, const CrossStitchOptions& options = {});
  std::vector<Tensor> operator()(const Tensor& x) const override;
  ParameterList shared_parameters() const override;
  size_t tasks() const override { return heads.size(); }

  std::vector<std::vector<nn::Sequential>> stages;  // of each stage, of each task
  std::vector<Parameter> stitches;                  // (tasks, tasks, channels) of each stage
  std::vector<nn::Sequential> heads;
  GLIA_FIELDS(stages, stitches, heads)
};

// Experts that all tasks share, of whose outputs each task takes a mean weighted by a gate of its
// own, the softmax of a linear function of the input (Ma et al. 2018).
class Mmoe : public Model {
 public:
  // `in_features` is how many numbers one input has.
  Mmoe(const MakePart& expert, int64_t experts, int64_t in_features,
       const std::vector<MakePart>& heads);
  std::vector<Tensor> operator()(const Tensor& x) const override;
  // (N, experts) of each task.
  std::vector<Tensor> gate_weights(const Tensor& x) const;
  ParameterList shared_parameters() const override;
  size_t tasks() const override { return heads.size(); }

  std::vector<nn::Sequential> experts;
  std::vector<nn::Linear> gates;
  std::vector<nn::Sequential> heads;
  GLIA_FIELDS(experts, gates, heads)
};

}  // namespace glia::multitask
