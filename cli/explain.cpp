// `glia explain`: a page of why a trained model says what it says.
#include "glia/recipes/explain.h"

#include <fmt/format.h>

#include <memory>

#include "cli/help.h"
#include "cli/recipes.h"
#include "glia/error.h"
#include "glia/io.h"

namespace glia {
namespace {

struct ExplainJob {
  std::string model, input, out = "explanation.html";
  recipes::ExplainOptions options;
};

void run(const recipes::Recipe& recipe, const ExplainJob& job) {
  if (job.model.empty()) throw Error("--model: no folder is named");
  const auto predictor = recipe.load(job.model);
  const auto* explains = dynamic_cast<const recipes::Explains*>(predictor.get());
  if (!explains) throw Error("explain: models of " + recipe.name + " do not explain themselves");
  const std::vector<std::string> inputs = predictor->inputs(job.input);
  if (inputs.empty()) throw IoError(job.input + ": holds nothing to explain");
  io::write_file_atomic(job.out, report::to_html(explains->explain(inputs[0], job.options)));
  fmt::print("{}\n", job.out);
}

void add_explain(CLI::App& command, const recipes::Recipe& recipe, const Session& session) {
  auto job = std::make_shared<ExplainJob>();
  command.add_option("--model", job->model, "Folder of a run, or its model.safetensors.")
      ->type_name("DIR")
      ->required();
  command.add_option("input", job->input, recipe.input_help)->type_name(recipe.input)->required();
  add_text(
      command, "--class", [job](const std::string& text) { job->options.answer = text; },
      "The class that is explained.")
      ->type_name("NAME")
      ->default_str("what the model says");
  add_text(
      command, "--out", [job](const std::string& text) { job->out = text; }, "The page to write.")
      ->type_name("FILE.html")
      ->default_str(job->out);
  command.footer(
      "\nThe page shows where a model of pictures looks, which words one of texts goes by, and "
      "what\n"
      "each column of a row adds. Of a folder or a table the first picture or row is explained.");
  command.callback([job, &recipe, session] {
    session.begin();
    run(recipe, *job);
  });
}

const bool added = [] {
  more_commands().push_back({"explain", "Says why a trained model answers as it does.", add_explain,
                             [](const recipes::Recipe& recipe) { return recipe.explains; }});
  return true;
}();

}  // namespace
}  // namespace glia
