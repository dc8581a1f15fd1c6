// `glia data`: the catalogue of data sets on the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace glia {

// `begin` is called before a download, `interrupted` asked while it goes on.
void add_data(CLI::App& app, std::function<void()> begin, std::function<bool()> interrupted);

}  // namespace glia
