// `glia search`: the settings of a recipe with which it does best.
#include "glia/recipes/search.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/help.h"
#include "cli/recipes.h"
#include "glia/error.h"
#include "glia/runtime.h"

namespace glia {
namespace {

// The one of some names; throws Error.
template <class E>
E choice(const char* option, const std::string& text, const std::vector<std::string>& names) {
  const recipes::Setting setting{.name = option, .fallback = names[0], .choices = {names}};
  recipes::parse(setting, text);
  return static_cast<E>(std::find(names.begin(), names.end(), text) - names.begin());
}

void add_search(CLI::App& command, const recipes::Recipe& recipe, const Session& session) {
  auto job = std::make_shared<recipes::SearchJob>();
  job->interrupted = session.interrupted;
  const auto text = [&](const char* name, auto set, const char* help) {
    return add_text(command, std::string("--") + name, set, help);
  };
  const auto whole = [&](const char* name, int64_t& value, double low, const char* help) {
    return text(
               name,
               [name, job, &value, low](const std::string& t) {
                 value = parse_whole(name, t, low, 1e9);
               },
               help)
        ->type_name("N")
        ->default_str(std::to_string(value));
  };
  auto* space = text(
      "space", [job](const std::string& t) { job->space = t; },
      "What to search for: settings with values, NAME=A|B|C, or a range, NAME=LOW..HIGH, or "
      "NAME=log:LOW..HIGH for one by its logarithm; commas between.");
  space->type_name("SPACE");
  text(
      "method",
      [job](const std::string& t) {
        job->method =
            choice<recipes::SearchMethod>("method", t, {"grid", "random", "halving", "tpe"});
      },
      "Every combination; draws; draws of which the best are trained again for longer; or where "
      "earlier trials were good.")
      ->type_name("grid|random|halving|tpe")
      ->default_str("tpe");
  whole("trials", job->trials, 1, "How many trials; halving begins with so many.");
  text(
      "metric", [job](const std::string& t) { job->metric = t; },
      "The result that counts. Default: the recipe's first.")
      ->type_name("NAME");
  text(
      "goal",
      [job](const std::string& t) {
        job->goal = choice<recipes::Goal>("goal", t, {"name", "highest", "lowest"});
      },
      "Which of its values is good; by its name that is known of losses, accuracies and the like.")
      ->type_name("name|highest|lowest")
      ->default_str("name");
  text(
      "budget", [job](const std::string& t) { job->budget = t; },
      "The setting that halving lets grow up to its own value.")
      ->type_name("NAME")
      ->default_str("epochs");
  const recipes::Setting factor{.name = "factor", .fallback = 3.0, .range = {1.01, 1000}};
  text(
      "factor",
      [job, factor](const std::string& t) {
        job->factor = std::get<double>(recipes::parse(factor, t));
      },
      "Of halving: one trial of so many goes on.")
      ->type_name("X")
      ->default_str("3");
  whole("search-seed", job->seed, 0, "Decides what is drawn; --seed is that of each trial.");
  const std::vector<recipes::Setting> settings = recipe.settings();
  const auto has = [&](const char* name) {
    return std::any_of(settings.begin(), settings.end(),
                       [&](const recipes::Setting& s) { return s.name == name; });
  };
  if (has("folds") && has("fold"))
    whole("folds", job->folds, 2, "Trains each trial so many times, and takes the mean.");
  const std::shared_ptr<recipes::Values> given(job, &job->given);
  for (const recipes::Setting& setting : settings)
    if (!command.get_option_no_throw("--" + setting.name)) add_setting(command, setting, given);
  text(
      "threads",
      [](const std::string& t) {
        set_num_threads(static_cast<int>(parse_whole("threads", t, 1, 1024)));
      },
      "Threads to use.")
      ->type_name("N")
      ->default_str("all processors");
  auto* out =
      command.add_option("--out", job->out,
                         "Folder for the search. One that already holds a search is refused "
                         "unless --overwrite is given.");
  out->type_name("DIR")->default_str("a new one below runs/");
  command.add_flag("--overwrite", job->overwrite, "Replaces the search that --out holds.")
      ->needs(out);
  text(
      "resume",
      [job](const std::string& folder) {
        job->out = folder;
        job->resume = true;
      },
      "Goes on with the search in this folder, as it was started: trials that are over stay, and "
      "one that was interrupted goes on from its checkpoint.")
      ->type_name("DIR")
      ->excludes(out)
      ->excludes(space);
  command.footer(
      "\nEach trial is a run in a folder of its own, below that of the search. That receives\n"
      "search.json, trials.jsonl, a line for each trial, summary.json and report.html. The\n"
      "settings above are those of every trial:\n"
      "  glia search fashion-mnist --space 'lr=log:1e-4..1e-1,model=mlp|cnn' --epochs 3");
  command.callback([job, &recipe, session] {
    if (job->resume && !job->given.empty())
      throw Error("--resume: a search goes on with the settings that it was started with");
    session.begin();
    recipes::search(recipe, *job);
  });
}

const bool added = [] {
  more_commands().push_back(
      {"search", "Searches for the settings with which a recipe does best.", add_search});
  return true;
}();

}  // namespace
}  // namespace glia
