// A training run of a recipe: its folder, and what every recipe does around its model.
#pragma once

#include <memory>
#include <string>

#include "glia/recipes/recipe.h"
#include "glia/report.h"
#include "glia/train.h"

namespace glia::recipes {

// The files that a run leaves in its folder, TensorBoard's aside.
inline constexpr const char* kCheckpoint = "checkpoint.safetensors";
inline constexpr const char* kModel = "model.safetensors";
inline constexpr const char* kMetrics = "metrics.csv";
inline constexpr const char* kSummary = "summary.json";
inline constexpr const char* kReport = "report.html";

class Run {
 public:
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // The folder is made, and an old run in it removed, by the first of the functions below: what is
  // wrong with the data is said before.
  const std::string& folder() const;
  std::string file(const std::string& name) const;
  // Prints a line, unless the run is quiet.
  void say(const std::string& line) const;
  bool interrupted() const;

  // What the trainer must keep in its checkpoints.
  std::string note() const;
  // Loads the checkpoint if the run goes on; trains, by the setting "bf16" in mixed precision, with
  // the callbacks of every recipe: progress, checkpoints, metrics.csv and TensorBoard. `unit` is
  // what a sample is called. Throws Interrupted when the run was to stop.
  void fit(training::Trainer& trainer, data::Pipeline& training, data::Pipeline* test = nullptr,
           const std::string& unit = "samples");
  // The same without data, for a trainer that goes by steps.
  void fit(training::Trainer& trainer, const std::string& unit = "");

  // Writes the model: weights by name, the settings, and facts.
  void save(const StateDict& weights, const Facts& facts = {});
  // Writes summary.json and report.html, and prints the first of the results, which is the one that
  // counts, beside the references. The page gets the settings and the results as highlights, before
  // its own. Results that are numbers must be finite.
  void finish(report::Report page, Results results);

 private:
  friend struct Recipe;
  struct State;  // private: recipes/src/run.h
  explicit Run(State& state) : state_(state) {}
  void begin();
  void fit(training::Trainer& trainer, data::Pipeline* training, data::Pipeline* test,
           const std::string& unit);
  State& state_;
};

// The values of an epoch's name over all epochs, for curves.
std::vector<double> over_epochs(const training::Trainer& trainer, const std::string& name);
// Its curve, over 1, 2, 3, ... or what `at` has for each epoch.
report::Section curve(const training::Trainer& trainer, const std::string& title,
                      const std::string& name, const report::Axis& x = {"epoch"},
                      const report::Axis& y = {}, const std::vector<double>& at = {});
// Curves of "train_NAME" and "test_NAME".
report::Section curves(const training::Trainer& trainer, const std::string& title,
                       const std::string& name, bool percent = false);
// The losses of a range test by rate, with what it suggests.
report::Section section_of(const training::LrRange& range);
// "1 min 20 s".
std::string duration(double seconds);

}  // namespace glia::recipes
