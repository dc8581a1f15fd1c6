// How the program explains itself, and options with a value.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace glia {

// Help of 80 columns: an option, its value's name, what it does, and the default.
class Help : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override;
  std::string make_option(const CLI::Option* option, bool positional) const override;
  std::string make_subcommand(const CLI::App* sub) const override;
};

// A command that only has others, which `known` names.
CLI::App* add_group(CLI::App& app, const std::string& name, const std::string& help,
                    const std::string& known);

// An option with a value; as with variables of the environment, an empty one is not set.
template <class F>
CLI::Option* add_text(CLI::App& command, const std::string& name, F&& set,
                      const std::string& help) {
  return command.add_option_function<std::string>(
      name,
      [set](const std::string& text) {
        if (!text.empty()) set(text);
      },
      help);
}

}  // namespace glia
