// `glia math`: calculations on files.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/session.h"

namespace glia {

void add_math(CLI::App& app, const Session& session);

}  // namespace glia
