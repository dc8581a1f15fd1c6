#include "cli/chat.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/help.h"
#include "cli/recipes.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/llm/bert.h"
#include "glia/llm/chat.h"
#include "glia/llm/models.h"
#include "glia/recipes/recipe.h"

namespace glia {
namespace {

using Json = nlohmann::ordered_json;

CLI::Option* add_model(CLI::App& command, std::string& model, const std::string& help) {
  return command.add_option("--model", model, help)->type_name("NAME|FILE")->capture_default_str();
}

// ---- Writing ----------------------------------------------------------------------------------

struct WriteJob {
  std::string model = "smollm2", prompt, system;
  std::vector<std::string> stop;
  recipes::Generation how;
  bool speed = false;

  llm::GenerationOptions options() const {
    return {.max_new_tokens = how.length,
            .sampling = {.temperature = how.temperature,
                         .top_k = how.top_k,
                         .top_p = how.top_p,
                         .min_p = how.min_p,
                         .repetition_penalty = how.repetition_penalty},
            .stop = stop,
            .seed = static_cast<uint64_t>(how.seed)};
  }
};

void add_writing(CLI::App& command, const std::shared_ptr<WriteJob>& job) {
  add_model(command, job->model, "smollm2, or a GGUF file of the Llama family.");
  add_generation(command, std::shared_ptr<recipes::Generation>(job, &job->how));
  command.add_option("--stop", job->stop, "A text at which it ends; may be given several times.")
      ->type_name("TEXT");
  command.add_flag("--speed", job->speed, "Says tokens a second on standard error.");
}

// Shows parts as they come; a signal ends it.
llm::OnText shower(const Session& session) {
  return [session](const std::string& part) {
    fmt::print("{}", part);
    std::fflush(stdout);
    if (session.interrupted()) throw recipes::Interrupted("interrupted");
  };
}

void print_speed(const llm::Assistant& assistant) {
  const auto s = assistant.speed();
  const auto rate = [](int64_t tokens, double seconds) {
    return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
  };
  fmt::print(stderr, "{} tokens read, {:.0f} a second; {} written, {:.0f} a second\n", s.read,
             rate(s.read, s.read_seconds), s.written, rate(s.written, s.written_seconds));
}

void chat(const WriteJob& job, const Session& session) {
  llm::Assistant assistant(llm::find_model(job.model));
  std::vector<llm::Message> messages;
  if (!job.system.empty()) messages.push_back({"system", job.system});
  const auto answer = [&](const std::string& question) {
    messages.push_back({"user", question});
    const std::string text = assistant.reply(messages, job.options(), shower(session));
    fmt::print("\n");
    messages.push_back({"assistant", text});
    if (job.speed) print_speed(assistant);
  };
  if (!job.prompt.empty()) return answer(job.prompt);
  const bool person = isatty(STDIN_FILENO);
  std::string line;
  while (!session.interrupted()) {
    if (person) fmt::print("> ");
    std::fflush(stdout);
    if (!std::getline(std::cin, line)) break;
    if (!line.empty()) answer(line);
  }
}

void add_chat_command(CLI::App& app, const Session& session) {
  auto job = std::make_shared<WriteJob>();
  job->how = {.length = 512, .temperature = 0.2, .top_p = 0.9};
  CLI::App* command = app.add_subcommand("chat", "Talks with a trained language model.");
  command->add_option("message", job->prompt, "What to say; without it lines of standard input.")
      ->type_name("MESSAGE");
  command->add_option("--system", job->system, "What the model is told before.")->type_name("TEXT");
  add_writing(*command, job);
  command->footer("\nIn a conversation each line is a message; the end of the input ends it.");
  command->callback([job, session] {
    session.begin();
    chat(*job, session);
  });
}

void add_generate_command(CLI::App& app, const Session& session) {
  auto job = std::make_shared<WriteJob>();
  job->how.length = 128;
  CLI::App* parent = app.get_subcommand("generate");
  CLI::App* command = parent->add_subcommand("gguf", "By a trained model in a GGUF file.");
  command->add_option("prompt", job->prompt, "What the text begins with.")->type_name("PROMPT");
  add_writing(*command, job);
  command->callback([job, session] {
    session.begin();
    llm::Assistant assistant(llm::find_model(job->model));
    fmt::print("{}", job->prompt);
    assistant.generate(job->prompt, job->options(), shower(session));
    fmt::print("\n");
    if (job->speed) print_speed(assistant);
  });
}

// ---- Meaning ----------------------------------------------------------------------------------

std::vector<std::string> lines_of(const std::string& path) {
  const std::string text = io::read_file(path);
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    if (lines.back().ends_with('\r')) lines.back().pop_back();
    at = end + 1;
  }
  return lines;
}

void add_embed(CLI::App& app, const Session& session) {
  struct Job {
    std::string model = "minilm", path, out;
  };
  auto job = std::make_shared<Job>();
  CLI::App* command =
      app.add_subcommand("embed", "Turns the lines of a file into vectors of their meaning.");
  command->add_option("file", job->path, "A text; each line becomes a vector.")
      ->type_name("FILE")
      ->required();
  command->add_option("--out", job->out, "Writes the vectors (lines, features), f32.")
      ->type_name("FILE.npy")
      ->required();
  add_model(*command, job->model, "minilm, or a folder as sentence-transformers has it.");
  command->callback([job, session] {
    session.begin();
    const llm::SentenceEncoder encoder(llm::find_model(job->model));
    const std::vector<std::string> lines = lines_of(job->path);
    if (lines.empty()) throw IoError(job->path + ": there is no text");
    const Tensor vectors = encoder.encode(lines);
    io::write_npy(job->out, vectors);
    fmt::print("{}: {} vectors of {}\n", job->out, vectors.size(0), vectors.size(1));
  });
}

void add_find(CLI::App& app, const Session& session) {
  struct Job {
    std::string model = "minilm", path, query;
    int64_t count = 5;
    bool json = false;
  };
  auto job = std::make_shared<Job>();
  CLI::App* command =
      app.add_subcommand("find", "Finds the passages of texts that are nearest to a question.");
  command->add_option("path", job->path, "A text, or a folder of texts.")
      ->type_name("FILE|FOLDER")
      ->required();
  command->add_option("query", job->query, "What to look for, in words of your own.")
      ->type_name("QUERY")
      ->required();
  add_model(*command, job->model, "minilm, or a folder as sentence-transformers has it.");
  add_text(
      *command, "--count",
      [job](const std::string& text) { job->count = parse_whole("count", text, 1, 1e6); },
      "Passages to show.")
      ->type_name("N")
      ->default_str("5");
  command->add_flag("--json", job->json, "Prints JSON.");
  command->callback([job, session] {
    session.begin();
    const llm::SentenceEncoder encoder(llm::find_model(job->model));
    const auto found = llm::find_passages(encoder, job->path, job->query, job->count);
    Json all = Json::array();
    for (const llm::Found& one : found) {
      if (job->json)
        all.push_back(
            {{"file", one.file}, {"line", one.line}, {"score", one.score}, {"text", one.text}});
      else
        fmt::print("{:.3f}  {}:{}\n  {}\n", one.score, one.file, one.line, one.text);
    }
    if (job->json) fmt::print("{}\n", all.dump(2, ' ', false, Json::error_handler_t::replace));
  });
}

}  // namespace

void add_chat(CLI::App& app, const Session& session) {
  add_chat_command(app, session);
  add_generate_command(app, session);
  add_embed(app, session);
  add_find(app, session);
}

}  // namespace glia
