#include "frames.h"

#include <fmt/format.h>

#include "glia/ops.h"

namespace glia::recipes {

StateDict Frames::state_dict() const {
  StateDict out;
  for (const Tensor& frame : all) out.emplace_back(std::to_string(out.size()), frame);
  return out;
}

void Frames::load_state_dict(const StateDict& state) {
  all.clear();
  for (const auto& [name, frame] : state) all.push_back(frame);
}

report::Scatter Frames::beside(const Tensor& fixed, const std::vector<std::string>& classes,
                               const training::Trainer& trainer) const {
  report::Scatter scatter{.frames = {}, .classes = classes, .equal = true};
  for (size_t i = 0; i < all.size(); ++i) {
    std::vector<int64_t> labels(static_cast<size_t>(all[i].size(0)), 0);
    labels.resize(labels.size() + static_cast<size_t>(fixed.size(0)), 1);
    scatter.frames.push_back({.points = concat({cast(all[i], kF64), fixed}),
                              .labels = labels,
                              .title = fmt::format("step {}", trainer.history().at(i).step)});
  }
  return scatter;
}

}  // namespace glia::recipes
