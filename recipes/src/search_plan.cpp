#include "search_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "glia/error.h"
#include "glia/io.h"
#include "json.h"

namespace glia::recipes {
namespace {

constexpr std::array kMethods = {"grid", "random", "halving", "tpe"};
constexpr std::array kGoals = {"name", "highest", "lowest"};

Value as_value(const classic::ParamValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* whole = std::get_if<int64_t>(&value)) return *whole;
  if (const auto* number = std::get_if<double>(&value)) return *number;
  return classic::to_text(value);  // "none" is the name of a choice
}

const Value* find(const Values& values, const std::string& name) {
  for (const auto& [key, value] : values)
    if (key == name) return &value;
  return nullptr;
}

}  // namespace

const char* name_of(SearchMethod method) { return kMethods[static_cast<size_t>(method)]; }

SearchMethod method_of(const std::string& name) {
  const auto at = std::ranges::find(kMethods, name);
  if (at == kMethods.end())
    throw Error(fmt::format("--method: '{}' is none of {}", name, fmt::join(kMethods, ", ")));
  return static_cast<SearchMethod>(at - kMethods.begin());
}

bool is_highest(const std::string& metric, Goal goal) {
  if (goal != Goal::kByName) return goal == Goal::kHighest;
  for (const char* part : {"accuracy", "score", "reward", "return", "r2", "auc", "f1", "bleu",
                           "precision", "recall", "iou", "psnr", "ssim", "homogeneity",
                           "completeness", "v_measure", "adjusted", "success", "ndcg"})
    if (metric.find(part) != std::string::npos) return true;
  for (const char* part : {"loss", "error", "inertia", "perplexity", "mse", "mae", "fid", "bits",
                           "distance", "seconds", "iterations", "deviance"})
    if (metric.find(part) != std::string::npos) return false;
  throw Error(fmt::format("--goal: {} does not say whether high or low is good", metric));
}

std::string settings_text(const Values& settings) {
  std::string text;
  for (const auto& [name, value] : settings) {
    const auto* number = std::get_if<double>(&value);
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name,
                        number ? fmt::format("{:.4g}", *number) : shown(value));
  }
  return text;
}

// ---- Checks -------------------------------------------------------------------------------------

SearchPlan::SearchPlan(const Recipe& recipe, const SearchJob& job)
    : recipe_(&recipe), job_(job), all_(recipe.settings()) {
  if (job_.trials < 1) throw Error(fmt::format("--trials {} is below 1", job_.trials));
  if (job_.seed < 0) throw Error(fmt::format("the seed {} is below 0", job_.seed));
  if (!(job_.factor > 1 && job_.factor < 1e6))
    throw Error(fmt::format("the factor {} of halving is not above 1", job_.factor));
  if (!job_.metric.empty()) is_highest(job_.metric, job_.goal);
  for (auto& [name, value] : job_.given) value = converted(name, value);
  check_space();
  check_folds();
  if (job_.method == SearchMethod::kHalving) check_budget();
  // What can be tried is checked before anything is: each choice, and both ends of each range.
  check({});
  for (const classic::Distribution& d : space_) {
    if (d.is_range()) {
      const std::array ends = {d.low, d.high};
      for (const double end : ends)
        check(settings({{d.name, d.integer ? classic::ParamValue(static_cast<int64_t>(end))
                                           : classic::ParamValue(end)}}));
    }
    for (const classic::ParamValue& choice : d.choices) check(settings({{d.name, choice}}));
  }
  if (job_.method == SearchMethod::kGrid) candidates();
}

const Setting& SearchPlan::setting(const std::string& name) const {
  const auto at = std::ranges::find(all_, name, &Setting::name);
  if (at == all_.end()) throw Error("there is no setting --" + name);
  return *at;
}

Value SearchPlan::converted(const std::string& name, const Value& value) const {
  const Setting& own = setting(name);
  if (!allows(own, value))
    throw Error(fmt::format("--{} {} is {}", name, shown(value), refusal(own)));
  const auto* whole = std::get_if<int64_t>(&value);
  return whole && std::holds_alternative<double>(own.fallback) ? Value(static_cast<double>(*whole))
                                                               : value;
}

void SearchPlan::check_space() {
  if (job_.space.empty())
    throw Error("--space: nothing is to be searched for; NAME=VALUE|VALUE or NAME=LOW..HIGH");
  try {
    space_ = classic::parse_space(job_.space);
  } catch (const ValueError& fault) {
    throw Error(std::string("--space: ") + fault.what());
  }
  for (classic::Distribution& d : space_) {
    const Setting& own = setting(d.name);
    if (find(job_.given, d.name))
      throw Error("--" + d.name + ": is given, and searched for as well");
    if (d.is_range()) {
      const bool whole = std::holds_alternative<int64_t>(own.fallback);
      if (!whole && !std::holds_alternative<double>(own.fallback))
        throw Error("--space: " + d.name + " is no number, which has no range");
      if (whole && !d.integer)
        throw Error("--space: " + d.name + " is a whole number, its range is of others");
      d.integer = whole;
    }
    // As the command line reads them, so that a text may be "3".
    for (classic::ParamValue& choice : d.choices)
      choice = std::visit([](const auto& v) { return classic::ParamValue(v); },
                          parse(own, classic::to_text(choice)));
  }
}

void SearchPlan::check_folds() const {
  if (job_.folds == 0) return;
  if (job_.folds < 2) throw Error(fmt::format("--folds {} is below 2", job_.folds));
  for (const char* name : {"folds", "fold"})
    if (std::ranges::count(all_, name, &Setting::name) == 0)
      throw Error(fmt::format("--folds: {} has no setting --{}", recipe_->name, name));
}

void SearchPlan::check_budget() const {
  if (!std::holds_alternative<int64_t>(setting(job_.budget).fallback))
    throw Error("--budget: " + job_.budget + " is no whole number");
  for (const classic::Distribution& d : space_)
    if (d.name == job_.budget) throw Error("--budget: " + job_.budget + " is searched for as well");
}

void SearchPlan::check(const Values& settings) const {
  Values all = recipe_->preset;
  all.insert(all.end(), job_.given.begin(), job_.given.end());
  all.insert(all.end(), settings.begin(), settings.end());
  assign(*recipe_->functions->make(), all);
}

// ---- What is tried ------------------------------------------------------------------------------

Values SearchPlan::settings(const classic::ParamValues& params) const {
  Values values;
  for (const auto& [name, value] : params)
    values.emplace_back(name, converted(name, as_value(value)));
  return values;
}

classic::ParamValues SearchPlan::params(const Values& settings) const {
  classic::ParamValues params;
  for (const auto& [name, value] : settings)
    if (std::ranges::count(space_, name, &classic::Distribution::name) > 0)
      params.emplace_back(name,
                          std::visit([](const auto& v) { return classic::ParamValue(v); }, value));
  return params;
}

std::vector<Values> SearchPlan::candidates() const {
  const auto tried =
      job_.method == SearchMethod::kGrid
          ? classic::parameter_grid(space_)
          : classic::parameter_samples(space_, job_.trials, static_cast<uint64_t>(job_.seed));
  std::vector<Values> all;
  for (const classic::ParamValues& params : tried) all.push_back(settings(params));
  return all;
}

std::vector<int64_t> SearchPlan::budgets(int64_t count) const {
  // The full budget is the setting's value, given or by default with what is given.
  const auto own = recipe_->functions->make();
  Values given = recipe_->preset;
  given.insert(given.end(), job_.given.begin(), job_.given.end());
  assign(*own, given);
  const auto full = std::get<int64_t>(*find(values_of(*own), job_.budget));
  int64_t rounds = 1;
  for (size_t left = static_cast<size_t>(count); left > 1 && kept(left) < left; ++rounds)
    left = kept(left);
  const Setting& budget = setting(job_.budget);
  std::vector<int64_t> budgets;
  for (int64_t i = rounds; i-- > 0;) {
    const double part = static_cast<double>(full) / std::pow(job_.factor, static_cast<double>(i));
    const auto least = static_cast<int64_t>(std::max(1.0, std::ceil(budget.range.low)));
    const int64_t now = std::max(static_cast<int64_t>(std::floor(part)), least);
    if (budgets.empty() || now > budgets.back()) budgets.push_back(now);
  }
  return budgets;
}

size_t SearchPlan::kept(size_t count) const {
  return static_cast<size_t>(std::ceil(static_cast<double>(count) / job_.factor));
}

std::string SearchPlan::description() const {
  return fmt::format("{}: search of {} by {}", recipe_->name, job_.space, name_of(job_.method));
}

// ---- Its file -----------------------------------------------------------------------------------

void SearchPlan::write(const std::string& path) const {
  const Json json = {{"recipe", recipe_->name},
                     {"space", job_.space},
                     {"given", as_json(job_.given)},
                     {"method", name_of(job_.method)},
                     {"trials", job_.trials},
                     {"metric", job_.metric},
                     {"goal", kGoals[static_cast<size_t>(job_.goal)]},
                     {"folds", job_.folds},
                     {"budget", job_.budget},
                     {"factor", job_.factor},
                     {"seed", job_.seed}};
  io::write_file_atomic(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

SearchPlan SearchPlan::read(const Recipe& recipe, const std::string& path) {
  const Json json = Json::parse(io::read_file(path), nullptr, false);
  const std::string fault = path + ": is no search of " + recipe.name;
  SearchJob job;
  try {
    if (json.at("recipe") != recipe.name) throw IoError(fault);
    job.space = json.at("space").get<std::string>();
    for (const auto& [name, value] : json.at("given").items())
      job.given.emplace_back(name, value_of(value));
    job.method = method_of(json.at("method").get<std::string>());
    job.trials = json.at("trials").get<int64_t>();
    job.metric = json.at("metric").get<std::string>();
    const auto goal = std::ranges::find(kGoals, json.at("goal").get<std::string>());
    if (goal == kGoals.end()) throw IoError(fault);
    job.goal = static_cast<Goal>(goal - kGoals.begin());
    job.folds = json.at("folds").get<int64_t>();
    job.budget = json.at("budget").get<std::string>();
    job.factor = json.at("factor").get<double>();
    job.seed = json.at("seed").get<int64_t>();
    return SearchPlan(recipe, job);
  } catch (const Json::exception&) {
    throw IoError(fault);
  } catch (const IoError&) {
    throw;
  } catch (const Error& e) {
    throw IoError(path + ": " + e.what());
  }
}

}  // namespace glia::recipes
