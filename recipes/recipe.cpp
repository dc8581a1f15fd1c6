#include "recipes/recipe.h"

#include <fmt/format.h>

#include <algorithm>

#include "glia/error.h"

namespace glia::recipes {
namespace {

std::vector<const Recipe*>& registry() {
  static std::vector<const Recipe*> recipes;
  return recipes;
}

}  // namespace

bool allows(const Setting& setting, const Settings& value) {
  const auto in_range = [&] {
    const double number = value.get<double>();
    return number >= setting.low && number <= setting.high;
  };
  switch (setting.kind) {
    case Setting::kInteger:
      return value.is_number_integer() && in_range();
    case Setting::kNumber:
      return value.is_number() && in_range();
    case Setting::kChoice:
      return value.is_string() && std::ranges::count(setting.choices, value.get<std::string>()) > 0;
    case Setting::kFlag:
      return value.is_boolean();
  }
  return false;
}

std::string refusal(const Setting& setting) {
  switch (setting.kind) {
    case Setting::kInteger:
      return fmt::format("no whole number from {:.0f} to {:.0f}", setting.low, setting.high);
    case Setting::kNumber:
      return fmt::format("no number from {} to {}", setting.low, setting.high);
    case Setting::kChoice:
      return fmt::format("none of {}", fmt::join(setting.choices, ", "));
    case Setting::kFlag:
      return "neither true nor false";
  }
  return "";
}

const std::vector<const Recipe*>& all() { return registry(); }

const Recipe& named(const std::string& name) {
  for (const Recipe* recipe : all())
    if (recipe->name == name) return *recipe;
  throw Error("there is no recipe '" + name + "'");
}

Registered::Registered(Recipe recipe) : recipe_(std::move(recipe)) {
  auto& recipes = registry();
  const auto at =
      std::lower_bound(recipes.begin(), recipes.end(), recipe_.name,
                       [](const Recipe* a, const std::string& b) { return a->name < b; });
  recipes.insert(at, &recipe_);
}

}  // namespace glia::recipes
