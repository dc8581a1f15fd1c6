#include "cli/describe.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "cli/help.h"
#include "cli/recipes.h"
#include "glia/vision/networks.h"

namespace glia {
namespace {

struct Job {
  std::string model;
  int64_t size = 0, classes = 1000;
  bool layers = false, json = false;
};

void describe(const Job& job) {
  if (job.model.empty()) {
    const std::vector<std::string> names = vision::network_names();
    if (job.json)
      fmt::print("{}\n", nlohmann::json(names).dump(2));
    else
      fmt::print("{}\n", fmt::join(names, "\n"));
    return;
  }
  const int64_t size = job.size > 0 ? job.size : job.model == "lenet" ? 28 : 224;
  const auto net = vision::make_network(
      job.model,
      {.classes = job.classes, .channels = job.model == "lenet" ? 1 : 3, .image_size = size});
  if (job.layers && !job.json) fmt::print("{}\n", net->summary());
  const vision::NetworkCost cost = vision::cost_of(*net, size);
  if (job.json) {
    const nlohmann::ordered_json all = {{"model", job.model},
                                        {"size", size},
                                        {"classes", job.classes},
                                        {"parameters", cost.parameters},
                                        {"parameter_bytes", cost.parameter_bytes},
                                        {"flops", cost.flops},
                                        {"memory_bytes", cost.memory_bytes}};
    fmt::print("{}\n", all.dump(2));
    return;
  }
  const auto mega = [](double bytes) { return fmt::format("{:.1f} MB", 1e-6 * bytes); };
  fmt::print("{:<13}{}\n", "parameters", cost.parameters);
  fmt::print("{:<13}{}\n", "weights", mega(static_cast<double>(cost.parameter_bytes)));
  fmt::print("{:<13}{:.3f} GFLOP for a picture of {} x {}\n", "arithmetic", 1e-9 * cost.flops, size,
             size);
  fmt::print("{:<13}{} between layers\n", "memory", mega(static_cast<double>(cost.memory_bytes)));
}

}  // namespace

void add_describe(CLI::App& app, const Session& session) {
  auto job = std::make_shared<Job>();
  CLI::App* command =
      app.add_subcommand("describe", "Says how large a network is and what a picture costs.");
  command->add_option("model", job->model, "The network; none: lists them.")->type_name("MODEL");
  add_text(
      *command, "--size",
      [job](const std::string& t) { job->size = parse_whole("size", t, 8, 4096); },
      "Side of the picture.")
      ->type_name("N")
      ->default_str("224, 28 for lenet");
  add_text(
      *command, "--classes",
      [job](const std::string& t) { job->classes = parse_whole("classes", t, 1, 1e6); },
      "Classes of the last layer.")
      ->type_name("N")
      ->default_str("1000");
  command->add_flag("--layers", job->layers, "Prints a table of the layers before.");
  command->add_flag("--json", job->json, "Prints JSON.");
  command->footer(
      "\nArithmetic counts a multiplication and an addition as two, of one forward pass. Memory "
      "is\n"
      "the most that lies between layers at a time, without the weights.");
  command->callback([job, session] {
    session.begin();
    describe(*job);
  });
}

}  // namespace glia
