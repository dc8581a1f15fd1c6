// `glia describe MODEL`: what a network of pictures costs.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/session.h"

namespace glia {

void add_describe(CLI::App& app, const Session& session);

}  // namespace glia
