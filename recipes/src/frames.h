// What a run collects as it goes on, to be shown over time.
#pragma once

#include <string>
#include <vector>

#include "glia/report.h"
#include "glia/train.h"

namespace glia::recipes {

// A part of a trainer.
struct Frames {
  std::vector<Tensor> all;  // one after each epoch

  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);
  // Points in the plane (N, 2) beside fixed ones (M, 2), a frame for each epoch. The two classes
  // are what these are called.
  report::Scatter beside(const Tensor& fixed, const std::vector<std::string>& classes,
                         const training::Trainer& trainer) const;
};

}  // namespace glia::recipes
