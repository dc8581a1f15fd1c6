// What a Run is made of.
#pragma once

#include <memory>
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

  // Settles settings and folder. Throws Error when the folder holds a run and job.overwrite is not
  // set, or when a setting is given that is not the checkpoint's.
  State(const Recipe& recipe, const TrainJob& job, Settings& settings);
};

}  // namespace glia::recipes
