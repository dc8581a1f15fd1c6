#include "recipes/recipe.h"

#include <algorithm>

namespace glia::recipes {
namespace {

std::vector<const Recipe*>& registry() {
  static std::vector<const Recipe*> recipes;
  return recipes;
}

}  // namespace

const std::vector<const Recipe*>& all() { return registry(); }

Registered::Registered(Recipe recipe) : recipe_(std::move(recipe)) {
  auto& recipes = registry();
  const auto at =
      std::lower_bound(recipes.begin(), recipes.end(), recipe_.name,
                       [](const Recipe* a, const std::string& b) { return a->name < b; });
  recipes.insert(at, &recipe_);
}

}  // namespace glia::recipes
