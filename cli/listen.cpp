#include "cli/listen.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/help.h"
#include "cli/recipes.h"
#include "glia/error.h"
#include "glia/recipes/listen.h"
#include "glia/recipes/recipe.h"
#include "glia/runtime.h"

namespace glia {
namespace {

struct ListenJob {
  std::string model, path = "-";
  recipes::ListenOptions options;
};

void print(const std::vector<recipes::Heard>& all) {
  for (const recipes::Heard& h : all) {
    const nlohmann::ordered_json line{{"time", std::round(h.time * 1000) / 1000},
                                      {"word", h.word},
                                      {"probability", std::round(h.probability * 1e4) / 1e4}};
    fmt::print("{}\n", line.dump());
  }
  // Whoever reads them waits for each.
  if (!all.empty() && std::fflush(stdout) != 0) throw IoError("standard output: cannot be written");
}

// A file, or standard input, that is read as it comes.
class Pipe {
 public:
  explicit Pipe(const std::string& path)
      : name_(path == "-" ? "standard input" : path),
        file_(path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (file_ < 0) fail();
  }
  ~Pipe() {
    if (file_ != STDIN_FILENO) ::close(file_);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  // What there is by now; nothing at the end, or when a signal comes.
  std::string_view next() {
    const ssize_t count = ::read(file_, room_.data(), room_.size());
    if (count < 0 && errno != EINTR) fail();
    return {room_.data(), static_cast<size_t>(std::max<ssize_t>(count, 0))};
  }

 private:
  [[noreturn]] void fail() const { throw IoError(name_ + ": " + std::strerror(errno)); }
  const std::string name_;
  const int file_;
  std::array<char, 1 << 14> room_{};
};

void run(const ListenJob& job, const Session& session) {
  // A second thread would only wait for the first.
  const ThreadLimit one(1);
  const auto predictor = recipes::load(job.model);
  const auto* listens = dynamic_cast<const recipes::Listens*>(predictor.get());
  if (!listens) throw Error(job.model + ": is no model that listens; train one of `speech`");
  const auto listener = listens->listen(job.options);
  Pipe pipe(job.path);
  while (!session.interrupted()) {
    const std::string_view bytes = pipe.next();
    if (bytes.empty()) break;
    print(listener->push(bytes));
  }
  if (!session.interrupted()) print(listener->finish());
}

}  // namespace

void add_listen(CLI::App& app, const Session& session) {
  auto job = std::make_shared<ListenJob>();
  CLI::App* command = app.add_subcommand(
      "listen", "Tells of words in sound as it comes, from a pipe or a file, as lines of JSON.");
  command->add_option("file", job->path, "A WAV file; -: standard input.")
      ->type_name("FILE")
      ->default_str("-");
  command->add_option("--model", job->model, "The folder of a run of `speech --model cnn`.")
      ->type_name("DIR")
      ->required();
  const auto number = [&](const char* name, double& value, double low, double high,
                          const char* help) {
    const recipes::Setting setting{.name = name, .fallback = value, .range = {low, high}};
    add_text(
        *command, std::string("--") + name,
        [job, &value, setting](const std::string& text) {
          value = std::get<double>(recipes::parse(setting, text));
        },
        help)
        ->type_name("X")
        ->default_str(recipes::shown(value));
  };
  const auto whole = [&](const char* name, int64_t& value, double high, const char* help) {
    add_text(
        *command, std::string("--") + name,
        [job, &value, name, high](const std::string& text) {
          value = parse_whole(name, text, 1, high);
        },
        help)
        ->type_name("N")
        ->default_str(value > 0 ? std::to_string(value) : "the WAV header's");
  };
  whole("raw-rate", job->options.raw_rate, 1 << 24,
        "Samples a second of raw samples, as from `arecord -t raw`.");
  whole("raw-channels", job->options.raw_channels, 1024, "Their channels.");
  command->add_option("--raw-type", job->options.raw_type, "Their type: u8, s16, s24, s32 or f32.")
      ->type_name("TYPE")
      ->default_str(job->options.raw_type);
  number("hop", job->options.hop, 0.01, 10,
         "Seconds from look to look: how far it is behind the sound at most.");
  number("threshold", job->options.threshold, 0, 1, "The least probability of a word.");
  command->footer(
      "\nEach line is {\"time\": seconds, \"word\": ..., \"probability\": ...}:\n"
      "  arecord -q -f S16_LE -r 16000 | glia listen --model runs/speech-commands-cnn");
  command->callback([job, session] {
    session.begin();
    run(*job, session);
  });
}

}  // namespace glia
