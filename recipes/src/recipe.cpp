#include "glia/recipes/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>

#include "facts.h"
#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/random.h"
#include "own_stream.h"
#include "run.h"

namespace glia::recipes {
namespace {

std::map<std::string, Recipe>& registry() {
  static std::map<std::string, Recipe> recipes;
  return recipes;
}

const std::string& full_name(const Recipe& recipe) {
  return recipe.shorthand_for.empty() ? recipe.name : recipe.shorthand_for;
}

// A model file, its recipe and its settings.
struct ModelFile {
  Saved saved;
  std::string recipe;
  io::Metadata metadata;
};

ModelFile read_model(const std::string& model) {
  ModelFile file;
  file.saved.path = std::filesystem::is_directory(model) ? model + "/" + kModel : model;
  file.saved.weights = io::read_safetensors(file.saved.path, &file.metadata);
  for (const auto& [key, value] : file.metadata)
    if (key == "recipe") file.recipe = value;
  return file;
}

std::unique_ptr<Predictor> load_as(const Recipe& recipe, ModelFile file) {
  const std::string& path = file.saved.path;
  const std::string fault = path + ": is no model of " + recipe.name;
  if (file.recipe != full_name(recipe)) throw IoError(fault);
  const std::vector<Setting> settings = declared(recipe.functions->make);
  Values values;
  try {
    for (const auto& [key, text] : file.metadata) {
      if (key == "format" || key == "recipe") continue;
      const auto at = std::ranges::find(settings, key, &Setting::name);
      if (at != settings.end()) {
        values.emplace_back(key, parse(*at, text));
        continue;
      }
      if (auto fact = fact_of(text)) file.saved.facts.emplace_back(key, std::move(*fact));
    }
    for (const auto& preset : recipe.preset)
      if (std::ranges::count(values, preset) == 0) throw IoError(fault);
    const auto chosen = recipe.functions->make();
    assign(*chosen, values);
    return recipe.functions->load(file.saved, *chosen);
  } catch (const IoError&) {
    throw;
  } catch (const Error& e) {
    throw IoError(path + ": " + e.what());
  }
}

template <class T>
const T& fact(const Saved& saved, const std::string& name) {
  for (const auto& [key, value] : saved.facts)
    if (key == name && std::holds_alternative<T>(value)) return std::get<T>(value);
  throw IoError(saved.path + ": does not say its " + name);
}

}  // namespace

void Evaluation::require(const std::string& own) const {
  if (!data.empty() && data != own) throw Error(data + ": the model is of " + own);
}

Results Predictor::predict(const Input& input) const {
  const NoGrad no_grad;
  return answer(input);
}

Results Predictor::evaluate(const Evaluation& what) const {
  const NoGrad no_grad;
  if (what.split != "train" && what.split != "test")
    throw Error("--split: '" + what.split + "' is none of train, test");
  return score(what);
}

std::string Predictor::generate(const std::string& prompt, const Generation& how) const {
  const NoGrad no_grad;
  return write(prompt, how);
}
std::string Predictor::write(const std::string&, const Generation&) const {
  throw Error("the model does not write texts");
}

Tensor Predictor::draw(const Drawing& how) const {
  if (how.count < 1) throw Error(fmt::format("there are no {} pictures to draw", how.count));
  const NoGrad no_grad;
  const OwnStream stream(static_cast<uint64_t>(how.seed));
  const Tensor pictures = draw_pictures(how);
  eval(pictures);
  return pictures;
}
Tensor Predictor::draw_pictures(const Drawing&) const {
  throw Error("the model does not draw pictures");
}
Computation Predictor::computation() const {
  throw Error("the model is no network from tensors to tensors");
}

int64_t Predictor::fill(const std::string& table, const std::string& out) const {
  const NoGrad no_grad;
  return fill_table(table, out);
}
int64_t Predictor::fill_table(const std::string&, const std::string&) const {
  throw Error("the model does not fill tables");
}

std::vector<Setting> Recipe::settings() const {
  std::vector<Setting> settings = declared(functions->make, preset);
  std::erase_if(settings, [&](const Setting& s) {
    return std::ranges::any_of(preset, [&](const auto& p) { return p.first == s.name; });
  });
  return settings;
}

Trained Recipe::train(const TrainJob& job) const {
  const auto run_once = [&](const TrainJob& how,
                            std::optional<training::LrRange> range) -> Trained {
    const auto settings = functions->make();
    Run::State state(*this, how, *settings);
    state.range = std::move(range);
    Run run(state);
    manual_seed(static_cast<uint64_t>(settings->seed));
    functions->train(run, *settings);
    return {state.folder, state.results};
  };
  if (!job.find_lr) return run_once(job, {});
  TrainJob with_rate = job;
  with_rate.find_lr = false;
  training::LrRange range;
  try {
    TrainJob quietly = job;
    quietly.quiet = true;
    run_once(quietly, {});
    throw Error("--find-lr: " + name + " has no training loop that tests rates");
  } catch (const FoundRate& found) {
    range = found.range;
  }
  // Two digits: what is read of the report and given as --lr is the same run.
  range.suggestion = std::stod(fmt::format("{:.2g}", range.suggestion));
  with_rate.given.emplace_back("lr", range.suggestion);
  if (!job.quiet) fmt::print("learning rate: {}, by a range test\n", range.suggestion);
  return run_once(with_rate, std::move(range));
}

std::unique_ptr<Predictor> Recipe::load(const std::string& model) const {
  return load_as(*this, read_model(model));
}

std::vector<const Recipe*> all() {
  std::vector<const Recipe*> out;
  for (const auto& [name, recipe] : registry()) out.push_back(&recipe);
  return out;
}

const Recipe& named(const std::string& name) {
  const auto at = registry().find(name);
  if (at != registry().end()) return at->second;
  std::vector<std::string> names;
  for (const auto& [known, recipe] : registry()) names.push_back(known);
  throw Error(fmt::format("unknown recipe '{}' (known: {})", name, fmt::join(names, ", ")));
}

std::unique_ptr<Predictor> load(const std::string& model) {
  ModelFile file = read_model(model);
  const auto at = registry().find(file.recipe);
  if (at == registry().end()) throw IoError(file.saved.path + ": is no model of a recipe");
  return load_as(at->second, std::move(file));
}

const std::string& Saved::text(const std::string& name) const {
  return fact<std::string>(*this, name);
}
const std::vector<std::string>& Saved::texts(const std::string& name) const {
  return fact<std::vector<std::string>>(*this, name);
}
const std::vector<double>& Saved::numbers(const std::string& name) const {
  return fact<std::vector<double>>(*this, name);
}
int64_t Saved::whole(const std::string& name, int64_t low, int64_t high) const {
  const std::vector<double>& all = numbers(name);
  const double value = all[0];
  if (all.size() != 1 || value != std::floor(value) || value < static_cast<double>(low) ||
      value > static_cast<double>(high))
    throw IoError(fmt::format("{}: its {} is {}, not a whole number from {} to {}", path, name,
                              fmt::join(all, ", "), low, high));
  return static_cast<int64_t>(value);
}

namespace detail {

void add(Recipe recipe) {
  const std::string name = recipe.name;
  if (!registry().emplace(name, std::move(recipe)).second)
    throw Error("there are two recipes '" + name + "'");
}

}  // namespace detail

Shorthand::Shorthand(const std::string& name, const std::string& description,
                     const std::string& recipe, const Values& preset) {
  Recipe shorthand = named(recipe);
  shorthand.name = name;
  shorthand.description = description;
  shorthand.preset = preset;
  shorthand.shorthand_for = recipe;
  detail::add(std::move(shorthand));
}

}  // namespace glia::recipes
