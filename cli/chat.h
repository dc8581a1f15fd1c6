// The commands chat, embed and find, and `generate gguf`: trained language models.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/session.h"

namespace glia {

// Behind add_recipes(), which makes the command generate.
void add_chat(CLI::App& app, const Session& session);

}  // namespace glia
