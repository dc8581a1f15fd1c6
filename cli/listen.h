// `glia listen`: words in sound as it comes.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/session.h"

namespace glia {

void add_listen(CLI::App& app, const Session& session);

}  // namespace glia
