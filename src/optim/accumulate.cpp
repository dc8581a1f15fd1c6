// Gradients of several batches.
#include <fmt/format.h>

#include <map>

#include "glia/ops.h"
#include "glia/optim.h"

namespace glia::optim {

void GradientMean::add(const std::vector<Tensor>& gradients, Where where) {
  const NoGrad off;
  if (count_ > 0 && gradients.size() != sums_.size())
    throw ShapeError(fmt::format("GradientMean: {} gradients, not the {} of the batches before",
                                 gradients.size(), sums_.size()),
                     where);
  if (count_ == 0) sums_ = std::vector<Buffer>(gradients.size());
  for (size_t i = 0; i < sums_.size(); ++i) {
    const Tensor& g = gradients[i];
    if (!g.defined() || !sums_[i].defined()) continue;
    if (g.shape() != sums_[i].shape() || g.dtype() != sums_[i].dtype())
      throw ShapeError(
          fmt::format("GradientMean: gradient {} is {} {}, before it was {} {}", i, name(g.dtype()),
                      g.shape().str(), name(sums_[i].dtype()), sums_[i].shape().str()),
          where);
  }
  for (size_t i = 0; i < sums_.size(); ++i) {
    const Tensor& g = gradients[i];
    if (!g.defined()) continue;
    if (sums_[i].defined())
      sums_[i].set(sums_[i] + g, where);
    else
      sums_[i] = Buffer(stop_gradient(g), where);
  }
  ++count_;
}

std::vector<Tensor> GradientMean::take() {
  if (count_ == 0) throw Error("GradientMean: take() before add()");
  const NoGrad off;
  std::vector<Tensor> out;
  out.reserve(sums_.size());
  for (const Buffer& sum : sums_)
    out.push_back(sum.defined() ? sum / static_cast<double>(count_) : Tensor());
  sums_.clear();
  count_ = 0;
  return out;
}

StateDict GradientMean::state_dict() const {
  std::vector<uint8_t> defined;
  for (const Buffer& sum : sums_) defined.push_back(sum.defined());
  StateDict out{{"count", tensor(count_)},
                {"defined", from_vector(defined, {static_cast<int64_t>(defined.size())})}};
  for (size_t i = 0; i < sums_.size(); ++i)
    if (sums_[i].defined()) out.emplace_back(fmt::format("sum.{}", i), sums_[i]);
  return out;
}

void GradientMean::load_state_dict(const StateDict& values) {
  std::map<std::string, Tensor> given(values.begin(), values.end());
  const auto take = [&](const std::string& key) {
    const auto node = given.extract(key);
    if (node.empty()) throw Error("GradientMean: the state has no " + key);
    return node.mapped();
  };
  const auto count = take("count").item<int64_t>();
  const auto defined = take("defined").to_vector<uint8_t>();
  std::vector<Buffer> sums(defined.size());
  for (size_t i = 0; i < sums.size(); ++i)
    if (defined[i]) sums[i] = Buffer(take(fmt::format("sum.{}", i)));
  if (!given.empty())
    throw Error("GradientMean: " + given.begin()->first + " of the state belongs to nothing here");
  if (count < 0 || (count == 0 && !sums.empty()))
    throw Error(fmt::format("GradientMean: the state is of {} gradients", count));
  sums_ = std::move(sums);
  count_ = count;
}

}  // namespace glia::optim
