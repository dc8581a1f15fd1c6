#include "glia/multitask/models.h"

#include "glia/error.h"

namespace glia::multitask {
namespace {

void check(const char* name, const std::vector<MakePart>& heads) {
  if (heads.empty()) throw ValueError(std::string(name) + ": there are no heads");
}

std::vector<nn::Sequential> made(const std::vector<MakePart>& parts) {
  std::vector<nn::Sequential> out;
  for (const MakePart& part : parts) out.push_back(part());
  return out;
}
std::vector<nn::Sequential> made(const MakePart& part, size_t count) {
  return made(std::vector<MakePart>(count, part));
}

void append(ParameterList& all, const nn::Module& module) {
  for (const Variable& v : module.parameters()) all.push_back(v);
}

}  // namespace

HardSharing::HardSharing(const MakePart& trunk, const std::vector<MakePart>& heads)
    : trunk(trunk()), heads(made(heads)) {
  check("HardSharing", heads);
}

std::vector<Tensor> HardSharing::operator()(const Tensor& x) const {
  const Tensor h = trunk(x);
  std::vector<Tensor> out;
  for (const nn::Sequential& head : heads) out.push_back(head(h));
  return out;
}

Separate::Separate(const MakePart& trunk, const std::vector<MakePart>& heads)
    : trunks(made(trunk, heads.size())), heads(made(heads)) {
  check("Separate", heads);
}

std::vector<Tensor> Separate::operator()(const Tensor& x) const {
  std::vector<Tensor> out;
  for (size_t k = 0; k < heads.size(); ++k) out.push_back(heads[k](trunks[k](x)));
  return out;
}

CrossStitch::CrossStitch(const std::vector<MakePart>& make_stages,
                         const std::vector<int64_t>& channels, const std::vector<MakePart>& heads,
                         const CrossStitchOptions& options)
    : heads(made(heads)) {
  check("CrossStitch", heads);
  if (make_stages.empty() || channels.size() != make_stages.size())
    throw ValueError("CrossStitch: " + std::to_string(make_stages.size()) + " stages and " +
                     std::to_string(channels.size()) + " numbers of channels");
  const auto tasks = static_cast<int64_t>(heads.size());
  const double other = tasks > 1 ? options.other / static_cast<double>(tasks - 1) : 0;
  for (size_t i = 0; i < make_stages.size(); ++i) {
    if (channels[i] < 1)
      throw ValueError("CrossStitch: a stage with " + std::to_string(channels[i]) + " channels");
    stages.push_back(made(make_stages[i], heads.size()));
    const Tensor mix = other + (options.same - other) * eye(tasks);
    stitches.emplace_back(expand(unsqueeze(mix, 2), {tasks, tasks, channels[i]}) + 0);
  }
}

std::vector<Tensor> CrossStitch::operator()(const Tensor& x) const {
  std::vector<Tensor> h(heads.size(), x);
  for (size_t i = 0; i < stages.size(); ++i) {
    std::vector<Tensor> own;
    for (size_t k = 0; k < heads.size(); ++k) own.push_back(stages[i][k](h[k]));
    for (size_t k = 0; k < heads.size(); ++k) {
      h[k] = Tensor();
      for (size_t j = 0; j < heads.size(); ++j) {
        const Tensor part = own[j] * index(stitches[i], {k, j});
        h[k] = h[k].defined() ? h[k] + part : part;
      }
    }
  }
  for (size_t k = 0; k < heads.size(); ++k) h[k] = heads[k](h[k]);
  return h;
}

ParameterList CrossStitch::shared_parameters() const {
  ParameterList all;
  for (const auto& stage : stages)
    for (const nn::Sequential& part : stage) append(all, part);
  for (const Parameter& stitch : stitches)
    if (stitch.trainable()) all.push_back(stitch);
  return all;
}

Mmoe::Mmoe(const MakePart& expert, int64_t count, int64_t in_features,
           const std::vector<MakePart>& heads)
    : heads(made(heads)) {
  check("Mmoe", heads);
  if (count < 1 || in_features < 1)
    throw ValueError("Mmoe: " + std::to_string(count) + " experts of " +
                     std::to_string(in_features) + " features");
  experts = made(expert, static_cast<size_t>(count));
  for (size_t k = 0; k < heads.size(); ++k)
    gates.emplace_back(in_features, count, nn::LinearOptions{.bias = false});
}

std::vector<Tensor> Mmoe::gate_weights(const Tensor& x) const {
  std::vector<Tensor> out;
  for (const nn::Linear& gate : gates) out.push_back(softmax(gate(flatten(x, 1))));
  return out;
}

std::vector<Tensor> Mmoe::operator()(const Tensor& x) const {
  std::vector<Tensor> all;
  for (const nn::Sequential& expert : experts) all.push_back(expert(x));
  const std::vector<Tensor> weights = gate_weights(x);
  std::vector<Tensor> out;
  for (size_t k = 0; k < heads.size(); ++k) {
    Tensor h;
    for (size_t e = 0; e < all.size(); ++e) {
      Tensor weight = slice(weights[k], 1, {static_cast<int64_t>(e), static_cast<int64_t>(e) + 1});
      while (weight.rank() < all[e].rank()) weight = unsqueeze(weight, 1);
      h = h.defined() ? h + weight * all[e] : weight * all[e];
    }
    out.push_back(heads[k](h));
  }
  return out;
}

ParameterList Mmoe::shared_parameters() const {
  ParameterList all;
  for (const nn::Sequential& expert : experts) append(all, expert);
  return all;
}

}  // namespace glia::multitask
