// What every training recipe does around its model: settle the settings and the folder.
#pragma once

#include <string>

#include "glia/train.h"
#include "recipes/recipe.h"

namespace glia::recipes {

// The files that a run leaves in its folder, TensorBoard's aside.
inline constexpr const char* kCheckpoint = "checkpoint.safetensors";
inline constexpr const char* kModel = "model.safetensors";
inline constexpr const char* kMetrics = "metrics.csv";
inline constexpr const char* kSummary = "summary.json";
inline constexpr const char* kReport = "report.html";

class Run {
 public:
  // complete(given) adds the defaults to what the user set. A new run gets the folder job.out, or
  // the first of runs/NAME, runs/NAME-2, ... that holds none; `name` may use the settings. One
  // that goes on takes the settings of its checkpoint. Throws Error when the folder holds a run
  // and job.overwrite is not set, or when a given setting is not the checkpoint's.
  Run(const TrainJob& job, const std::string& recipe,
      const std::function<Settings(const Settings&)>& complete,
      const std::function<std::string(const Settings&)>& name);

  const Settings& settings() const { return settings_; }
  const std::string& folder() const { return folder_; }
  std::string file(const std::string& name) const { return folder_ + "/" + name; }
  // What the trainer must keep in its checkpoints.
  std::string note() const;

  // Loads the checkpoint if the run goes on; trains, by the setting "bf16" in mixed precision, with
  // the callbacks of every recipe: progress, checkpoints, metrics.csv and TensorBoard. Throws
  // Interrupted when job.interrupted() says so.
  void fit(training::Trainer& trainer, data::Pipeline& training, data::Pipeline& test,
           const std::string& unit);

 private:
  const TrainJob& job_;
  const std::string recipe_;
  Settings settings_;
  std::string folder_;
};

}  // namespace glia::recipes
