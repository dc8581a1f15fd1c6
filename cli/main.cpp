// The `glia` program: trains recipes and uses what they trained.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>

#include "cli/chat.h"
#include "cli/data.h"
#include "cli/describe.h"
#include "cli/fit.h"
#include "cli/help.h"
#include "cli/listen.h"
#include "cli/math.h"
#include "cli/onnx.h"
#include "cli/recipes.h"
#include "glia/error.h"
#include "glia/recipes/recipe.h"
#include "glia/runtime.h"

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

// Nonsense in the environment is said before anything is done.
void check_environment() {
  num_threads();
  eager();
  cpu_level();
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
        job->top = static_cast<int>(parse_whole("top", text, 1, 1e6));
      },
      "Rows of the table.")
      ->type_name("N")
      ->default_str("20");
  add_text(
      *command, "--floor",
      [job](const std::string& text) {
        const size_t comma = text.find(',');
        const recipes::Setting part{.name = "floor", .fallback = 0.0};
        const auto number = [&](const std::string& t) {
          return std::get<double>(recipes::parse(part, t));
        };
        job->options.gb_per_s = number(text.substr(0, comma));
        job->options.gflop_per_s = number(comma < text.size() ? text.substr(comma + 1) : "");
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
  const Session session{.begin =
                            [] {
                              check_environment();
                              watch_signals();
                            },
                        .interrupted = [] { return signal_seen != 0; }};
  add_recipes(app, session);
  add_fit(app, session);
  add_listen(app, session);
  add_data(app, session);
#ifdef GLIA_VISION
  add_describe(app, session);
#endif
#ifdef GLIA_MATH
  add_math(app, session);
#endif
#ifdef GLIA_LLM
  add_chat(app, session);
#endif
#ifdef GLIA_ONNX
  add_onnx(app, session);
#endif
  int status = 0;
  add_profile(app, &status);
  app.footer(
      "\nExamples:\n"
      "  glia train fashion-mnist --model cnn\n"
      "  glia train fashion-mnist --resume runs/fashion-mnist-cnn\n"
      "  glia predict fashion-mnist --model runs/fashion-mnist-cnn shoe.png\n"
      "  glia evaluate fashion-mnist --model runs/fashion-mnist-cnn");
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
  } catch (const CLI::ExtrasError&) {
    return fail(fmt::format("not expected: {} (see --help)", fmt::join(app.remaining(true), " ")));
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
