// What a Run is made of.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "glia/recipes/run.h"

namespace glia::recipes {

struct Run::State {
  const Recipe& recipe;
  const TrainJob& job;
  Values values;  // of all settings, and the references that belong to them
  std::vector<Reference> references;
  std::string folder;
  bool begun = false;
  double started = 0, seconds = -1;  // of the trainer, if there is one
  Results results;
  std::optional<training::LrRange> range = {};  // by which the rate was found

  // Settles settings and folder. Throws Error when the folder holds a run and job.overwrite is not
  // set, or when a setting is given that is not the checkpoint's.
  State(const Recipe& recipe, const TrainJob& job, Settings& settings);
};

// Thrown by Run::fit() of a job that is to find the learning rate, before anything is written.
struct FoundRate {
  training::LrRange range;
};

}  // namespace glia::recipes
