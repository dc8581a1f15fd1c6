// `glia data`: the catalogue of data sets on the command line.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/session.h"

namespace glia {

void add_data(CLI::App& app, const Session& session);

}  // namespace glia
