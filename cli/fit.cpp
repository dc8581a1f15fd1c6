#include "cli/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cli/help.h"
#include "glia/error.h"
#include "glia/recipes/recipe.h"

namespace glia {
namespace {

struct FitJob {
  recipes::TrainJob train;
  std::vector<std::string> params, searches;
};

}  // namespace

void add_fit(CLI::App& app, const Session& session) {
  const auto all = recipes::all();
  const auto found = std::ranges::find(all, "tabular", &recipes::Recipe::name);
  if (found == all.end()) return;  // built without the packages
  const recipes::Recipe& recipe = **found;
  auto job = std::make_shared<FitJob>();
  job->train.interrupted = session.interrupted;
  CLI::App* command = app.add_subcommand(
      "fit", "Fits a classifier or regressor to a table: shorthand of `train tabular`.");
  for (const recipes::Setting& setting : recipe.settings()) {
    if (setting.name == "model") {
      command
          ->add_option_function<std::string>(
              "model",
              [job, setting](const std::string& text) {
                job->train.given.emplace_back("model", recipes::parse(setting, text));
              },
              fmt::format("{}: {}.", setting.help.substr(0, setting.help.size() - 1),
                          fmt::join(setting.choices.names, ", ")))
          ->type_name("MODEL")
          ->required();
    } else if (setting.name == "param" || setting.name == "search") {
      // May be given several times.
      auto& list = setting.name == "param" ? job->params : job->searches;
      command->add_option("--" + setting.name, list, setting.help)->type_name("NAME=VALUE");
    } else {
      auto* option = add_text(
          *command, "--" + setting.name,
          [job, setting](const std::string& text) {
            job->train.given.emplace_back(setting.name, recipes::parse(setting, text));
          },
          setting.help);
      option->default_str(setting.fallback_text);
      if (setting.name == "data") option->required();
    }
  }
  auto* out = command->add_option("--out", job->train.out, "Folder for the results.");
  out->type_name("DIR")->default_str("a new one below runs/");
  command->add_flag("--overwrite", job->train.overwrite, "Replaces the run that --out holds.")
      ->needs(out);
  command->footer(
      "\nThe folder receives model.safetensors, summary.json and report.html. To use it:\n"
      "  glia predict tabular --model DIR new.csv --out filled.csv");
  command->callback([job, &recipe, session] {
    if (!job->params.empty())
      job->train.given.emplace_back("param", fmt::format("{}", fmt::join(job->params, ",")));
    if (!job->searches.empty())
      job->train.given.emplace_back("search", fmt::format("{}", fmt::join(job->searches, ",")));
    session.begin();
    recipe.train(job->train);
  });
}

}  // namespace glia
