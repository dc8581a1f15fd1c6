// What is chosen of two tasks on one picture, and the network that this means.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "glia/multitask/models.h"
#include "glia/recipes/run.h"
#include "recipes/src/images.h"

namespace glia::recipes {

struct MultiTaskSettings : TrainingSettings {
  static inline const std::vector<std::string> kTasks = {"left", "right"};

  std::string data, sharing, weighting;
  int64_t pairs = 0, experts = 0, epochs = 0, batch = 0;
  double lr = 0;

  void declare(Fields& f) override;
  ImageSource source() const { return {data, 0.2, static_cast<uint64_t>(seed)}; }
  // The network of Sener & Koltun 2018, after LeCun et al. 1998, cut into what may be shared and
  // not.
  std::unique_ptr<multitask::Model> network(const ImageForm& form) const;
};

}  // namespace glia::recipes
