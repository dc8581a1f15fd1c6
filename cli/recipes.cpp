#include "cli/recipes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/help.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/recipes/recipe.h"
#include "glia/runtime.h"

namespace glia {
namespace {

using Json = nlohmann::ordered_json;

bool any_recipe(const recipes::Recipe&) { return true; }

// `parent RECIPE ...`: a subcommand for each recipe that has it, and a clear error for any other
// word.
template <class F>
void add_command(CLI::App& app, const std::string& name, const std::string& description, F&& add,
                 bool (*has)(const recipes::Recipe&) = any_recipe) {
  CLI::App* parent = app.add_subcommand(name, description);
  std::vector<std::string> names;
  for (const recipes::Recipe* recipe : recipes::all()) {
    if (!has(*recipe)) continue;
    names.push_back(recipe->name);
    add(*parent->add_subcommand(recipe->name, recipe->description), *recipe);
  }
  const std::string known = fmt::format("known: {}", fmt::join(names, ", "));
  parent
      ->add_option_function<std::string>("recipe",
                                         [name](const std::string& word) {
                                           recipes::named(word);
                                           throw Error(name + ": " + word + " has no such command");
                                         })
      ->group("");
  parent->callback([parent, name, known] {
    if (parent->get_subcommands().empty())
      throw Error(name + ": no recipe is named (" + known + ")");
  });
  parent->footer("\nglia " + name + " RECIPE --help explains a recipe's options.");
}

// "mlp|cnn|FOLDER", "N".
std::string type_name(const recipes::Setting& setting) {
  std::vector<std::string> names = setting.choices.names;
  if (!setting.choices.other.empty()) names.push_back(setting.choices.other);
  if (!names.empty()) return fmt::format("{}", fmt::join(names, "|"));
  if (std::holds_alternative<std::string>(setting.fallback)) return "TEXT";
  return std::holds_alternative<int64_t>(setting.fallback) ? "N" : "X";
}

void add_train(CLI::App& command, const recipes::Recipe& recipe, const Session& session) {
  auto job = std::make_shared<recipes::TrainJob>();
  job->interrupted = session.interrupted;
  const std::shared_ptr<recipes::Values> given(job, &job->given);
  for (const recipes::Setting& setting : recipe.settings()) add_setting(command, setting, given);
  add_text(
      command, "--threads",
      [](const std::string& text) {
        set_num_threads(static_cast<int>(parse_whole("threads", text, 1, 1024)));
      },
      "Threads to use. The result is the same, bit for bit, for any number.")
      ->type_name("N")
      ->default_str("all processors");
  auto* out = command.add_option("--out", job->out,
                                 "Folder for the results. One that already holds a run is refused "
                                 "unless --overwrite is given.");
  out->type_name("DIR")->default_str("a new one below runs/");
  command.add_flag("--overwrite", job->overwrite, "Replaces the run that --out holds.")->needs(out);
  if (recipe.resumes && std::ranges::count(recipe.settings(), "lr", &recipes::Setting::name) > 0)
    command.add_flag("--find-lr", job->find_lr,
                     "Sets --lr to what a range test suggests: a hundred steps at rising rates "
                     "before the training. The report shows their losses.");
  if (recipe.resumes)
    add_text(
        command, "--resume",
        [job](const std::string& folder) {
          job->out = folder;
          job->resume = true;
        },
        "Goes on from the checkpoint in this folder, with the settings it was started with, and "
        "ends with the same bits as a run that was never interrupted. With more --epochs than "
        "before also once it is finished; a schedule is then that of the whole length.")
        ->type_name("DIR")
        ->excludes(out);
  command.footer(
      recipe.resumes
          ? "\nThe folder receives model.safetensors (PyTorch's names), checkpoint.safetensors,\n"
            "metrics.csv, a TensorBoard event file, summary.json and report.html. Ctrl-C finishes "
            "the\nstep, saves a checkpoint and says how to go on."
          : "\nThe folder receives model.safetensors, summary.json and report.html.");
  command.callback([job, &recipe, session] {
    session.begin();
    recipe.train(*job);
  });
}

struct UseJob {
  std::string model, out;
  bool json = false;
  int64_t top = 0;
  std::vector<std::string> inputs, named;  // in their place, and behind an option
  recipes::Evaluation what;
};

CLI::Option* add_model(CLI::App& command, std::string& model) {
  return command.add_option("--model", model, "Folder of a run, or its model.safetensors.")
      ->type_name("DIR")
      ->required();
}

std::shared_ptr<UseJob> add_use(CLI::App& command) {
  auto job = std::make_shared<UseJob>();
  add_model(command, job->model);
  command.add_flag("--json", job->json, "Prints JSON.");
  return job;
}

std::unique_ptr<recipes::Predictor> load(const recipes::Recipe& recipe, const UseJob& job,
                                         const Session& session) {
  if (job.model.empty()) throw Error("--model: no folder is named");
  session.begin();
  return recipe.load(job.model);
}

// "shoe.png: Sneaker, resized from 84 x 84", and the other values below.
std::string shown(const std::string& input, const recipes::Results& results) {
  std::string line = input + ": " + recipes::shown(results.at(0));
  recipes::Results others;
  for (size_t i = 1; i < results.size(); ++i) {
    if (results[i].name == "note")
      line += ", " + recipes::shown(results[i]);
    else
      others.push_back(results[i]);
  }
  return line + "\n" + recipes::to_text(others);
}

void add_predict(CLI::App& command, const recipes::Recipe& recipe, const Session& session) {
  const auto job = add_use(command);
  CLI::Option* input =
      command.add_option("input", job->inputs, recipe.input_help)->type_name(recipe.input);
  if (recipe.input_option.empty())
    input->required();
  else
    command.add_option("--" + recipe.input_option, job->named, recipe.input_help)
        ->type_name(recipe.input);
  if (recipe.ranks)
    add_text(
        command, "--top",
        [job](const std::string& text) { job->top = parse_whole("top", text, 1, 1e6); },
        "How many answers are listed.")
        ->type_name("N");
  if (recipe.fills)
    command
        .add_option("--out", job->out,
                    "Writes the table with columns of predictions to this file instead.")
        ->type_name("FILE.csv");
  command.footer("\n" + recipe.predict_help);
  command.callback([job, &recipe, session] {
    job->inputs.insert(job->inputs.end(), job->named.begin(), job->named.end());
    if (job->inputs.empty()) throw Error(fmt::format("no {} is named", recipe.input));
    const auto predictor = load(recipe, *job, session);
    predictor->top = job->top;
    if (!job->out.empty()) {
      if (job->inputs.size() != 1) throw Error("--out: takes one table");
      const int64_t rows = predictor->fill(job->inputs[0], job->out);
      if (!job->json) fmt::print("{}: {} rows\n", job->out, rows);
      return;
    }
    Json all = Json::array();
    std::vector<std::string> inputs;
    for (const std::string& text : job->inputs)
      for (std::string& input : predictor->inputs(text)) inputs.push_back(std::move(input));
    for (const std::string& input : inputs) {
      const recipes::Results results = predictor->predict(input);
      if (!job->json) {
        fmt::print("{}", shown(input, results));
        continue;
      }
      Json one = {{"input", input}};
      one.update(Json::parse(recipes::to_json(results)));
      all.push_back(std::move(one));
    }
    if (job->json) fmt::print("{}\n", all.dump(2, ' ', false, Json::error_handler_t::replace));
  });
}

void add_evaluate(CLI::App& command, const recipes::Recipe& recipe, const Session& session) {
  const auto job = add_use(command);
  add_text(
      command, "--data", [job](const std::string& text) { job->what.data = text; },
      "Other data than the model was trained on.")
      ->type_name("DATA");
  add_text(
      command, "--split", [job](const std::string& text) { job->what.split = text; },
      "The part of the data.")
      ->type_name("train|test")
      ->default_str("test");
  add_text(
      command, "--count",
      [job](const std::string& text) { job->what.count = parse_whole("count", text, 1, 1e15); },
      "Goes over so many at most.")
      ->type_name("N");
  command.footer("\n" + recipe.evaluate_help);
  command.callback([job, &recipe, session] {
    const recipes::Results results = load(recipe, *job, session)->evaluate(job->what);
    if (job->json)
      fmt::print("{}\n", recipes::to_json(results));
    else
      fmt::print("{}", recipes::to_text(results));
  });
}

void add_written(CLI::App& command, const recipes::Recipe& recipe, const Session& session) {
  struct Job {
    std::string model, prompt;
    recipes::Generation how;
  };
  auto job = std::make_shared<Job>();
  add_model(command, job->model);
  command.add_option("prompt", job->prompt, "What the text begins with.")->type_name("PROMPT");
  add_generation(command, std::shared_ptr<recipes::Generation>(job, &job->how));
  command.callback([job, &recipe, session] {
    if (job->model.empty()) throw Error("--model: no folder is named");
    session.begin();
    fmt::print("{}\n", recipe.load(job->model)->generate(job->prompt, job->how));
  });
}

// Pictures by a model of one recipe, or, without one, of whichever trained it. `above`: the command
// has others below, and leaves it to these if one is named.
void add_drawn(CLI::App& command, const recipes::Recipe* recipe, const Session& session) {
  struct Job {
    std::string model, out = "samples.png";
    recipes::Drawing how;
  };
  auto job = std::make_shared<Job>();
  CLI::Option* model = add_model(command, job->model);
  if (!recipe) model->required(false);
  const auto whole = [&](const std::string& name, int64_t& value, double low, double high,
                         const char* help) {
    return add_text(
               command, "--" + name,
               [name, job, &value, low, high](const std::string& text) {
                 value = parse_whole(name, text, low, high);
               },
               help)
        ->type_name("N");
  };
  whole("count", job->how.count, 1, 1e6, "Pictures to draw.")->default_str("64");
  add_text(
      command, "--class", [job](const std::string& text) { job->how.label = text; },
      "Their class, by name or number, of models that were trained with classes.")
      ->type_name("CLASS")
      ->default_str("each in turn");
  whole("steps", job->how.steps, 1, 1e6, "Steps of a diffusion model.");
  add_text(
      command, "--guidance",
      [job](const std::string& text) {
        job->how.guidance = std::get<double>(
            recipes::parse({.name = "guidance", .fallback = 1.0, .range = {0, 100}}, text));
      },
      "How much the class counts in a diffusion model: 1 as trained, more for more typical ones.")
      ->type_name("X");
  whole("seed", job->how.seed, 0, 1e15, "Another one draws other pictures.")->default_str("0");
  add_text(
      command, "--out", [job](const std::string& text) { job->out = text; },
      "The file, with all of them in rows.")
      ->type_name("FILE.png")
      ->default_str(job->out);
  const auto draw = [job, recipe, session] {
    if (job->model.empty()) throw Error("--model: no folder is named");
    session.begin();
    const auto predictor = recipe ? recipe->load(job->model) : recipes::load(job->model);
    io::write_png(job->out, recipes::picture_grid(predictor->draw(job->how)));
    fmt::print("{}: {} pictures\n", job->out, job->how.count);
  };
  if (recipe) return void(command.callback(draw));
  command.callback([&command, draw, job] {
    if (!command.get_subcommands().empty()) return;
    if (job->model.empty()) throw Error("generate: no recipe is named, and no --model");
    draw();
  });
}

void add_generate(CLI::App& command, const recipes::Recipe& recipe, const Session& session) {
  if (recipe.generates)
    add_written(command, recipe, session);
  else
    add_drawn(command, &recipe, session);
}

Json as_json(const recipes::Setting& setting) {
  const auto value = [](const recipes::Value& v) {
    return std::visit([](const auto& x) { return Json(x); }, v);
  };
  constexpr const char* kTypes[] = {"flag", "integer", "number", "text"};
  Json json = {{"name", setting.name},
               {"type", kTypes[setting.fallback.index()]},
               {"default", value(setting.fallback)},
               {"help", setting.help}};
  if (setting.fallback.index() == 1 || setting.fallback.index() == 2) {
    json["low"] = setting.range.low;
    json["high"] = setting.range.high;
  }
  if (!setting.choices.names.empty()) json["choices"] = setting.choices.names;
  if (!setting.choices.other.empty()) json["or"] = setting.choices.other;
  return json;
}

Json as_json(const recipes::Recipe& recipe) {
  Json settings = Json::array();
  for (const recipes::Setting& s : recipe.settings()) settings.push_back(as_json(s));
  Json json = {{"name", recipe.name},
               {"task", recipe.task},
               {"description", recipe.description},
               {"settings", settings}};
  if (!recipe.shorthand_for.empty()) json["recipe"] = recipe.shorthand_for;
  return json;
}

// Under each kind of task its recipes, with the data and the models that each may have.
void print_list() {
  std::map<std::string, std::vector<const recipes::Recipe*>> tasks;
  for (const recipes::Recipe* recipe : recipes::all()) tasks[recipe->task].push_back(recipe);
  for (const auto& [task, all] : tasks) {
    fmt::print("{}\n", task);
    for (const recipes::Recipe* recipe : all) {
      fmt::print("  {:<22}{}\n", recipe->name, recipe->description);
      for (const recipes::Setting& s : recipe->settings())
        if (s.name == "data" || s.name == "model")
          fmt::print("    --{:<18}{}\n", s.name, type_name(s));
    }
  }
}

}  // namespace

void add_setting(CLI::App& command, const recipes::Setting& setting,
                 const std::shared_ptr<recipes::Values>& given) {
  const std::string name = "--" + setting.name;
  if (std::holds_alternative<bool>(setting.fallback)) {
    command.add_flag_callback(
        name, [given, setting] { given->emplace_back(setting.name, true); }, setting.help);
    if (setting.fallback_text != "false")
      command.add_flag_callback(
          "--no-" + setting.name, [given, setting] { given->emplace_back(setting.name, false); },
          "Does not. Default of " + name + ": " + setting.fallback_text + ".");
    return;
  }
  add_text(
      command, name,
      [given, setting](const std::string& text) {
        given->emplace_back(setting.name, recipes::parse(setting, text));
      },
      setting.help)
      ->type_name(type_name(setting))
      ->default_str(setting.fallback_text);
}

void add_generation(CLI::App& command, const std::shared_ptr<recipes::Generation>& job) {
  const auto add_whole = [&](const char* name, int64_t& value, double high, const char* help) {
    add_text(
        command, std::string("--") + name,
        [name, job, &value, high](const std::string& text) {
          value = parse_whole(name, text, 0, high);
        },
        help)
        ->type_name("N")
        ->default_str(std::to_string(value));
  };
  const auto add_number = [&](const char* name, double& value, recipes::Range range,
                              const char* help) {
    const recipes::Setting setting{.name = name, .fallback = value, .range = range};
    add_text(
        command, std::string("--") + name,
        [job, setting, &value](const std::string& text) {
          value = std::get<double>(recipes::parse(setting, text));
        },
        help)
        ->type_name("X")
        ->default_str(recipes::shown(value));
  };
  recipes::Generation& how = *job;
  add_whole("length", how.length, 1e9, "Tokens to write.");
  add_number("temperature", how.temperature, {0, 1e6},
             "Below 1 likely tokens are preferred, 0 takes the likeliest.");
  add_whole("top-k", how.top_k, 1e9, "Draws among so many of the likeliest; 0: among all.");
  add_number("top-p", how.top_p, {1e-9, 1},
             "Draws among the likeliest that have this probability together.");
  add_number("min-p", how.min_p, {0, 1},
             "Draws among those that have this share of the likeliest one's probability.");
  add_number("repetition-penalty", how.repetition_penalty, {1e-3, 1e3},
             "Above 1 tokens that were there are less likely.");
  add_whole("seed", how.seed, 1e15, "Another one writes another text.");
}

std::vector<RecipeCommand>& more_commands() {
  static std::vector<RecipeCommand> commands;
  return commands;
}

int64_t parse_whole(const std::string& name, const std::string& text, double low, double high) {
  const recipes::Setting setting{.name = name, .fallback = int64_t{0}, .range = {low, high}};
  return std::get<int64_t>(recipes::parse(setting, text));
}

void add_recipes(CLI::App& app, const Session& session) {
  const auto with = [&](auto add) {
    return [=](CLI::App& command, const recipes::Recipe& recipe) { add(command, recipe, session); };
  };
  add_command(app, "train", "Trains a recipe and writes its results to a folder.", with(add_train));
  add_command(app, "predict", "Uses a trained model.", with(add_predict));
  add_command(app, "generate", "Writes a text, or draws pictures, by a trained model.",
              with(add_generate),
              [](const recipes::Recipe& recipe) { return recipe.generates || recipe.draws; });
  add_drawn(*app.get_subcommand("generate"), nullptr, session);
  add_command(app, "evaluate", "Says how good a trained model is on data.", with(add_evaluate));
  for (const RecipeCommand& more : more_commands())
    add_command(app, more.name, more.description, with(more.add), more.has ? more.has : any_recipe);
  auto json = std::make_shared<bool>();
  CLI::App* list = app.add_subcommand("list", "Lists the recipes by kind of task.");
  list->add_flag("--json", *json, "Prints JSON.");
  list->callback([json] {
    if (!*json) return print_list();
    Json all = Json::array();
    for (const recipes::Recipe* recipe : recipes::all()) all.push_back(as_json(*recipe));
    fmt::print("{}\n", all.dump(2));
  });
}

}  // namespace glia
