// The commands train, predict, generate, evaluate and list.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "cli/session.h"

namespace glia {

void add_recipes(CLI::App& app, const Session& session);

// A whole number of an option --NAME; throws Error.
int64_t parse_whole(const std::string& name, const std::string& text, double low, double high);

}  // namespace glia
