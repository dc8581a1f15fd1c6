#include "cli/data.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/help.h"
#include "glia/error.h"
#include "glia/fetch.h"
#include "glia/recipes/recipe.h"

namespace glia {
namespace {

using Json = nlohmann::ordered_json;

std::string where(const data::Entry& set) {
  if (!data::available(set)) return "not here";
  const data::Found at = data::find_any(set);
  return at.form ? at.folder + ", " + at.form->difference : at.folder;
}

Json as_json(const data::Entry& set) {
  Json files = Json::array();
  const auto known = [](const auto& value, bool is) { return is ? Json(value) : Json(); };
  for (const data::DataFile& file : set.files)
    files.push_back({{"name", file.name},
                     {"url", known(file.url, !file.url.empty())},
                     {"bytes", known(file.bytes, file.bytes > 0)},
                     {"sha256", known(file.sha256, !file.sha256.empty())}});
  const bool here = data::available(set);
  const data::Found at = here ? data::find_any(set) : data::Found{};
  return {{"name", set.name},
          {"title", set.title},
          {"task", set.task},
          {"home", set.home},
          {"licence", set.licence},
          {"classes", set.classes},
          {"package", known(set.package, !set.package.empty())},
          {"places", data::places(set)},
          {"folder", known(at.folder, here)},
          {"form", at.form ? Json(at.form->difference) : Json()},
          {"get", data::how_to_get(set)},
          {"files", files}};
}

void print_list() {
  for (const data::Entry* set : data::catalogue())
    fmt::print("{:<18}{:<22}{}\n", set->name, set->task, where(*set));
}

void print_set(const data::Entry& set) {
  const auto row = [](const char* name, const std::string& value) {
    if (!value.empty()) fmt::print("{:<13}{}\n", name, value);
  };
  row("name", set.name);
  row("title", set.title);
  row("task", set.task);
  row("home", set.home);
  row("licence", set.licence);
  row("package", set.package);
  row("folder", where(set));
  for (const std::string& place : data::places(set)) row("looked for in", " " + place);
  row("to get it", data::how_to_get(set));
  const data::Form* form = data::available(set) ? data::find_any(set).form : nullptr;
  for (const data::DataFile& file : form ? form->files : set.files) {
    row("file", file.name);
    row("  from", file.url);
    if (file.bytes > 0) row("  bytes", fmt::format("{}", file.bytes));
    row("  sha256", file.sha256.empty() ? "not verified" : file.sha256);
  }
}

void fetch(const data::Entry& set, const std::function<bool()>& interrupted) {
  if (data::available(set)) {
    fmt::print("{}: is in {}\n", set.title, where(set));
    return;
  }
  const bool terminal = isatty(STDERR_FILENO) == 1;
  data::FetchOptions options{.interrupted = interrupted};
  if (terminal)
    options.progress = [](const data::DataFile& file, int64_t have, int64_t size) {
      const double mb = 1e-6 * static_cast<double>(have);
      if (size > 0)
        fmt::print(stderr, "\r\x1b[K{}: {:.1f} of {:.1f} MB", file.name, mb, 1e-6 * size);
      else
        fmt::print(stderr, "\r\x1b[K{}: {:.1f} MB", file.name, mb);
    };
  const auto clear = [&] {
    if (terminal) fmt::print(stderr, "\r\x1b[K");
  };
  try {
    const std::string folder = data::fetch(set, options);
    clear();
    fmt::print("{}: is in {}\n", set.title, folder);
    for (const data::DataFile& file : set.files)
      if (file.sha256.empty()) fmt::print("{}: not verified, no SHA-256 is known\n", file.name);
  } catch (const std::exception& e) {
    clear();
    if (interrupted()) throw recipes::Interrupted(e.what());
    throw;
  }
}

}  // namespace

void add_data(CLI::App& app, const Session& session) {
  struct Job {
    std::string name;
    bool json = false;
  };
  auto job = std::make_shared<Job>();
  CLI::App* parent =
      add_group(app, "data", "Lists, explains and downloads data sets.", "list, show, fetch");
  const auto add_name = [&](CLI::App* command) {
    command->add_option("name", job->name, "A data set of `glia data list`.")
        ->type_name("NAME")
        ->required();
  };
  const auto add_json = [&](CLI::App* command) {
    command->add_flag("--json", job->json, "Prints JSON.");
  };

  CLI::App* list = parent->add_subcommand("list", "Lists the data sets, and where each is found.");
  add_json(list);
  list->callback([job] {
    if (!job->json) return print_list();
    Json all = Json::array();
    for (const data::Entry* set : data::catalogue()) all.push_back(as_json(*set));
    fmt::print("{}\n", all.dump(2));
  });

  CLI::App* show = parent->add_subcommand(
      "show", "Says what a data set is, where it is looked for, and how to get it.");
  add_name(show);
  add_json(show);
  show->callback([job] {
    const data::Entry& set = data::entry(job->name);
    if (job->json)
      fmt::print("{}\n", as_json(set).dump(2));
    else
      print_set(set);
  });

  CLI::App* get = parent->add_subcommand("fetch", "Downloads a data set into the user's cache.");
  add_name(get);
  get->footer(
      "\nWhat was cut is gone on with the next time. A file appears whole and verified, or not\n"
      "at all.");
  get->callback([job, session] {
    const data::Entry& set = data::entry(job->name);
    session.begin();
    fetch(set, session.interrupted);
  });
  parent->footer(
      "\nA data set is looked for in $GLIA_DATA/NAME, where a Debian package puts it, and in\n"
      "$XDG_CACHE_HOME/glia/NAME or ~/.cache/glia/NAME.");
}

}  // namespace glia
