#include "cli/help.h"

#include <sstream>

#include "glia/error.h"

namespace glia {
namespace {

// The words of `text` from column 22 on, after `column` characters of the first line.
std::string wrapped(size_t column, const std::string& text) {
  constexpr size_t kIndent = 22, kWidth = 80;
  std::string out;
  if (column + 2 > kIndent) {
    out = "\n";
    column = 0;
  }
  out += std::string(kIndent - column, ' ');
  column = kIndent;
  std::istringstream words(text);
  for (std::string word; words >> word; column += word.size()) {
    if (column > kIndent && column + 1 + word.size() > kWidth) {
      out += "\n" + std::string(kIndent, ' ');
      column = kIndent;
    } else if (column > kIndent) {
      out += ' ';
      ++column;
    }
    out += word;
  }
  return out;
}

}  // namespace

std::string Help::make_usage(const CLI::App* app, std::string name) const {
  std::string usage = "Usage: glia";
  if (!name.empty() && name != "glia") usage += " " + name.substr(name.find(' ') + 1);
  if (!app->get_subcommands({}).empty())
    usage += app->get_option_no_throw("recipe") ? " RECIPE" : " COMMAND";
  usage += " [OPTIONS]";
  for (const CLI::Option* option : app->get_options())
    if (option->get_positional() && !option->get_group().empty())
      usage += " " + option->get_type_name() + (option->get_items_expected_max() > 1 ? "..." : "");
  if (app->get_prefix_command()) usage += " COMMAND...";
  return usage + "\n";
}

std::string Help::make_option(const CLI::Option* option, bool positional) const {
  std::string name = positional ? option->get_type_name() : option->get_name(false, true);
  if (!positional && !option->get_type_name().empty()) name += " " + option->get_type_name();
  std::string text = option->get_description();
  if (!option->get_default_str().empty()) text += " Default: " + option->get_default_str() + ".";
  return "  " + name + wrapped(name.size() + 2, text) + "\n";
}

std::string Help::make_subcommand(const CLI::App* sub) const {
  return "  " + sub->get_name() + wrapped(sub->get_name().size() + 2, sub->get_description()) +
         "\n";
}

CLI::App* add_group(CLI::App& app, const std::string& name, const std::string& help,
                    const std::string& known) {
  CLI::App* parent = app.add_subcommand(name, help);
  const std::string all = " (known: " + known + ")";
  parent
      ->add_option_function<std::string>(
          "command",
          [name, all](const std::string& word) {
            throw Error(name + ": unknown command '" + word + "'" + all);
          })
      ->group("");
  parent->callback([parent, name, all] {
    if (parent->get_subcommands().empty()) throw Error(name + ": no command is named" + all);
  });
  return parent;
}

}  // namespace glia
