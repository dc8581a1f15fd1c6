// `glia fit MODEL --data FILE --target COLUMN`: shorthand of `glia train tabular`.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/session.h"

namespace glia {

void add_fit(CLI::App& app, const Session& session);

}  // namespace glia
