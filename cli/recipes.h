// The commands train, predict, generate, evaluate and list, and others that have a recipe.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/session.h"
#include "glia/recipes/recipe.h"

namespace glia {

void add_recipes(CLI::App& app, const Session& session);

// A command of a source that is left out where a package is missing: `glia NAME RECIPE`.
struct RecipeCommand {
  std::string name, description;
  void (*add)(CLI::App& command, const recipes::Recipe& recipe, const Session& session);
  bool (*has)(const recipes::Recipe& recipe) = nullptr;  // which recipes have it; all
};
std::vector<RecipeCommand>& more_commands();  // filled before main()

// An option --NAME, which puts the value into `given`.
void add_setting(CLI::App& command, const recipes::Setting& setting,
                 const std::shared_ptr<recipes::Values>& given);

// The options of what is written: --length, --temperature, ..., with the defaults that are there.
void add_generation(CLI::App& command, const std::shared_ptr<recipes::Generation>& how);

// A whole number of an option --NAME; throws Error.
int64_t parse_whole(const std::string& name, const std::string& text, double low, double high);

}  // namespace glia
