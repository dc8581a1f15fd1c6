// Searches for the settings of a recipe: many runs in one folder, each with settings of its own.
//
//   const recipes::Searched found = recipes::search(
//       recipes::named("image-classification"),
//       {.space = "lr=log:1e-4..1e-1,model=mlp|cnn", .given = {{"epochs", 3}}, .trials = 10});
//   const recipes::Values& best = found.trials[found.best].settings;
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "glia/recipes/recipe.h"

namespace glia::recipes {

// The files of a search beside the folders of its trials, summary.json and report.html.
inline constexpr const char* kSearch = "search.json";
inline constexpr const char* kTrials = "trials.jsonl";

enum class SearchMethod {
  kGrid,     // every combination
  kRandom,   // draws
  kHalving,  // draws, of which the best are trained again for longer
  kTPE,      // where earlier trials were good (Bergstra et al. 2011)
};
enum class Goal { kByName, kHighest, kLowest };

struct SearchJob {
  // "lr=log:1e-4..1e-1,hidden=64|128|256": ranges of numbers, by their logarithm if it says so, and
  // values, of any setting of the recipe.
  std::string space = {};
  Values given = {};  // settings of every trial
  SearchMethod method = SearchMethod::kTPE;
  int64_t trials = 20;  // a grid has as many as there are combinations; halving begins with them
  std::string metric = {};  // a result of the recipe; empty: its first
  // Whether high or low is good; by name it is "accuracy" and the like, or "loss" and the like.
  Goal goal = Goal::kByName;
  // Each trial trains so many times, with the recipe's setting "fold" from 0 on and its setting
  // "folds" as many, and counts by the mean. 0: once.
  int64_t folds = 0;
  std::string budget = "epochs";  // of halving: the setting that grows up to its own value
  double factor = 3;              // of halving: one of so many stays, and gets so many times more
  int64_t seed = 0;               // of what is drawn; the trials' own is a setting
  std::string out = {};           // the folder to fill; empty: a new one under runs/
  // Goes on with the search in `out`, whose job counts: trials that are over stay, one that was
  // interrupted goes on from its checkpoint.
  bool resume = false;
  bool overwrite = false;  // whatever search `out` holds is replaced
  bool quiet = false;
  std::function<bool()> interrupted = {};
};

struct SearchTrial {
  std::string folder;  // of its run, in that of the search
  Values settings;     // those that were searched for, and the budget
  double value = 0;    // of the metric; NaN if it failed
  std::vector<std::pair<std::string, double>> results;  // all numbers, means over folds
  std::string error;                                    // why it failed
  double seconds = 0;
};
struct Searched {
  std::string folder;
  std::string metric;
  bool highest = false;  // is good
  std::vector<SearchTrial> trials;
  int64_t best = -1;  // a position in `trials`; of halving, of those with the most budget
};

// Throws Error for a space, settings or a metric that the recipe has not, and if all trials fail;
// Interrupted when job.interrupted() said so.
Searched search(const Recipe& recipe, const SearchJob& job);

// Settings, value and seconds of each trial, the best first.
report::Table to_table(const Searched& searched, int64_t most = 1000000);

}  // namespace glia::recipes
