// The `glia` program: trains recipes and uses what they trained.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>

#include "cli/data.h"
#include "glia/error.h"
#include "glia/runtime.h"
#include "recipes/recipe.h"

namespace glia {
namespace {

constexpr int kFailure = 2;  // exit status of every error

volatile std::sig_atomic_t signal_seen = 0;

// The first SIGINT or SIGTERM asks the run to save and stop; a second one ends the process.
void watch_signals() {
  struct sigaction action = {};
  action.sa_handler = [](int signal) { signal_seen = signal; };
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGXFSZ, SIG_IGN);  // a file size limit is then an error like a full disk
}

// Help of 80 columns: an option, its value's name, what it does, and the default.
class Help : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = "Usage: glia";
    if (!name.empty() && name != "glia") usage += " " + name.substr(name.find(' ') + 1);
    if (!app->get_subcommands({}).empty())
      usage += app->get_option_no_throw("recipe") ? " RECIPE" : " COMMAND";
    usage += " [OPTIONS]";
    for (const CLI::Option* option : app->get_options())
      if (option->get_positional() && !option->get_group().empty())
        usage +=
            " " + option->get_type_name() + (option->get_items_expected_max() > 1 ? "..." : "");
    if (app->get_prefix_command()) usage += " COMMAND...";
    return usage + "\n";
  }
  std::string make_option(const CLI::Option* option, bool positional) const override {
    std::string name = positional ? option->get_type_name() : option->get_name(false, true);
    if (!positional && !option->get_type_name().empty()) name += " " + option->get_type_name();
    std::string text = option->get_description();
    if (!option->get_default_str().empty()) text += " Default: " + option->get_default_str() + ".";
    return "  " + name + wrapped(name.size() + 2, text) + "\n";
  }
  std::string make_subcommand(const CLI::App* sub) const override {
    return "  " + sub->get_name() + wrapped(sub->get_name().size() + 2, sub->get_description()) +
           "\n";
  }

 private:
  // The words of `text` from column 22 on, after `column` characters of the first line.
  static std::string wrapped(size_t column, const std::string& text) {
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
};

template <class T>
bool parse_number(const std::string& text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

recipes::Settings parse_setting(const recipes::Setting& setting, const std::string& text) {
  recipes::Settings value = text;
  int64_t whole = 0;
  double number = 0;
  if (setting.kind == recipes::Setting::kInteger && parse_number(text, whole)) value = whole;
  if (setting.kind == recipes::Setting::kNumber && parse_number(text, number)) value = number;
  if (!recipes::allows(setting, value))
    throw Error("--" + setting.name + ": '" + text + "' is " + recipes::refusal(setting));
  return value;
}

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

// Nonsense in the environment is said before anything is done.
void check_environment() {
  num_threads();
  eager();
  cpu_level();
}

// `parent RECIPE ...`: a subcommand for each recipe, and a clear error for any other word.
template <class F>
CLI::App* add_recipes(CLI::App& app, const std::string& name, const std::string& description,
                      F&& add) {
  CLI::App* parent = app.add_subcommand(name, description);
  std::vector<std::string> names;
  for (const recipes::Recipe* recipe : recipes::all()) {
    names.push_back(recipe->name);
    add(*parent->add_subcommand(recipe->name, recipe->description), *recipe);
  }
  const std::string known = fmt::format("known: {}", fmt::join(names, ", "));
  parent
      ->add_option_function<std::string>(
          "recipe",
          [known](const std::string& word) {
            throw Error("unknown recipe '" + word + "' (" + known + ")");
          })
      ->group("");
  parent->callback([parent, name, known] {
    if (parent->get_subcommands().empty())
      throw Error(name + ": no recipe is named (" + known + ")");
  });
  parent->footer("\nglia " + name + " RECIPE --help explains a recipe's options.");
  return parent;
}

void add_train(CLI::App& command, const recipes::Recipe& recipe) {
  auto job = std::make_shared<recipes::TrainJob>();
  job->interrupted = [] { return signal_seen != 0; };
  for (const recipes::Setting& setting : recipe.settings) {
    if (setting.kind == recipes::Setting::kFlag) {
      command.add_flag_callback(
          "--" + setting.name, [job, setting] { job->given[setting.name] = true; }, setting.help);
      continue;
    }
    const bool choice = setting.kind == recipes::Setting::kChoice;
    add_text(
        command, "--" + setting.name,
        [job, setting](const std::string& text) {
          job->given[setting.name] = parse_setting(setting, text);
        },
        setting.help)
        ->type_name(choice ? fmt::format("{}", fmt::join(setting.choices, "|"))
                    : setting.kind == recipes::Setting::kInteger ? "N"
                                                                 : "X")
        ->default_str(setting.fallback);
  }
  add_text(
      command, "--threads",
      [](const std::string& text) {
        const auto threads = parse_setting({.name = "threads", .low = 1, .high = 1024}, text);
        set_num_threads(threads.get<int>());
      },
      "Threads to use. The result is the same, bit for bit, for any number.")
      ->type_name("N")
      ->default_str("all processors");
  auto* out = command.add_option("--out", job->out,
                                 "Folder for the results. One that already holds a run is refused "
                                 "unless --overwrite is given.");
  out->type_name("DIR")->default_str("a new one below runs/");
  command.add_flag("--overwrite", job->overwrite, "Replaces the run that --out holds.")->needs(out);
  add_text(
      command, "--resume",
      [job](const std::string& folder) {
        job->out = folder;
        job->resume = true;
      },
      "Goes on from the checkpoint in this folder, with the settings it was started with, and "
      "ends with the same bits as a run that was never interrupted.")
      ->type_name("DIR")
      ->excludes(out);
  command.footer(
      "\nThe folder receives model.safetensors (PyTorch's names), checkpoint.safetensors,\n"
      "metrics.csv, a TensorBoard event file, summary.json and report.html. Ctrl-C finishes the\n"
      "step, saves a checkpoint and says how to go on.");
  command.callback([job, &recipe] {
    check_environment();
    watch_signals();
    recipe.train(*job);
  });
}

void add_predict(CLI::App& command, const recipes::Recipe& recipe) {
  auto job = std::make_shared<recipes::PredictJob>();
  command.add_option("--model", job->model, "Folder of a run, or its model.safetensors.")
      ->type_name("DIR")
      ->required();
  command.add_option("input", job->inputs, recipe.input)->type_name("FILE")->required();
  command.footer("\n" + recipe.predict_help);
  command.callback([job, &recipe] {
    if (job->model.empty()) throw Error("--model: no folder is named");
    check_environment();
    recipe.predict(*job);
  });
}

int fail(const std::string& message) {
  std::fflush(stdout);
  fmt::print(stderr, "glia: {}\n", message);
  return kFailure;
}

int run(std::vector<std::string> words);

// `profile WORDS...`: runs what the words say under the profiler.
void add_profile(CLI::App& app, int* status) {
  struct Job {
    std::string trace;
    int top = 20;
    ProfileOptions options;
  };
  auto job = std::make_shared<Job>();
  CLI::App* command =
      app.add_subcommand("profile", "Runs another command and says where its time goes.");
  command
      ->add_option("--trace", job->trace,
                   "Writes every kernel to this file, for ui.perfetto.dev or chrome://tracing.")
      ->type_name("FILE");
  add_text(
      *command, "--top",
      [job](const std::string& text) {
        job->top = parse_setting({.name = "top", .low = 1, .high = 1e6}, text).get<int>();
      },
      "Rows of the table.")
      ->type_name("N")
      ->default_str("20");
  add_text(
      *command, "--floor",
      [job](const std::string& text) {
        const size_t comma = text.find(',');
        const recipes::Setting part{.name = "floor", .kind = recipes::Setting::kNumber};
        ProfileOptions& o = job->options;
        o.gb_per_s = parse_setting(part, text.substr(0, comma));
        o.gflop_per_s = parse_setting(part, comma < text.size() ? text.substr(comma + 1) : "");
      },
      "What the machine can do in GB/s and, for f32, GFLOP/s, instead of measuring it.")
      ->type_name("B,F");
  command->prefix_command();
  command->footer(
      "\nThe command and its options follow those of profile:\n"
      "  glia profile --trace trace.json train fashion-mnist --model mlp --epochs 1");
  command->callback([command, job, status] {
    std::vector<std::string> words = command->remaining();
    if (words.empty()) throw Error("profile: no command is named");
    if (!job->trace.empty() && !std::ofstream(job->trace, std::ios::app))
      throw IoError(job->trace + ": the trace cannot be written");
    profile_start(job->options);
    *status = run(std::move(words));
    const Profile profile = profile_stop(job->trace);
    if (*status != kFailure) fmt::print("\n{}", profile.table(job->top));
  });
}

int run(std::vector<std::string> words) {
  CLI::App app("Glia: deep learning in C++.", "glia");
  app.set_version_flag("--version", version(), "Prints the version.");
  app.set_help_flag("-h,--help", "Prints this help.");
  app.require_subcommand(0, 1);
  app.formatter(std::make_shared<Help>());
  add_recipes(app, "train", "Trains a recipe and writes its results to a folder.", add_train);
  add_recipes(app, "predict", "Uses a trained model.", add_predict);
  app.add_subcommand("list", "Lists the recipes.")->callback([] {
    for (const recipes::Recipe* recipe : recipes::all())
      fmt::print("{:<20}{}\n", recipe->name, recipe->description);
  });
  add_data(app, watch_signals, [] { return signal_seen != 0; });
  int status = 0;
  add_profile(app, &status);
  app.footer(
      "\nExamples:\n"
      "  glia train fashion-mnist --model cnn\n"
      "  glia train fashion-mnist --resume runs/fashion-mnist-cnn\n"
      "  glia predict fashion-mnist --model runs/fashion-mnist-cnn shoe.png");
  try {
    // The library would take the word after "--lr=" for its value.
    for (size_t i = 0; i < words.size(); ++i) {
      if (!words[i].starts_with("--") || words[i].find('=') != words[i].size() - 1) continue;
      words[i].pop_back();
      words.insert(words.begin() + static_cast<int64_t>(i) + 1, "");
    }
    std::reverse(words.begin(), words.end());  // as the library wants them
    app.parse(std::move(words));
    if (app.get_subcommands().empty()) fmt::print("{}", app.help());
  } catch (const CLI::Success& e) {
    app.exit(e);
  } catch (const recipes::Interrupted& e) {
    fmt::print(stderr, "\nglia: {}\n", e.what());
    return 128 + signal_seen;
  } catch (const CLI::ParseError& e) {
    return fail(std::string(e.what()) + " (see --help)");
  } catch (const std::bad_alloc&) {
    return fail("out of memory");
  } catch (const std::exception& e) {
    return fail(e.what());
  }
  if (std::fflush(stdout) != 0) return fail("standard output: cannot be written");
  return status;
}

}  // namespace
}  // namespace glia

int main(int argc, char** argv) { return glia::run({argv + 1, argv + argc}); }
