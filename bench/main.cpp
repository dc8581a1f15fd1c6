// glia-bench: times Glia on named workloads. bench/README.md says how figures are to be compared.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include "bench.h"

namespace {

using namespace glia;

const std::map<std::string, bench::Workload> kWorkloads = {
    {"add16m", bench::add16m},
    {"adamw_large", bench::adamw_large},
    {"adamw_small", bench::adamw_small},
    {"bandwidth", bench::bandwidth},
    {"chain", bench::chain},
    {"chain_grad", bench::chain_grad},
    {"dqn_step", bench::dqn_step},
    {"embedding_bag", bench::embedding_bag},
    {"gcn", bench::gcn},
    {"gelu16m", bench::gelu16m},
    {"gpt_decode", bench::gpt_decode},
    {"gpt_train", bench::gpt_train},
    {"gpt_train_bf16", bench::gpt_train_bf16},
    {"lstm_b1", bench::lstm_b1},
    {"lstm_train", bench::lstm_train},
    {"loader", bench::loader},
    {"mlp_large", bench::mlp_large},
    {"mlp_large_bf16", bench::mlp_large_bf16},
    {"mlp_small", bench::mlp_small},
    {"mlp_small_bf16", bench::mlp_small_bf16},
    {"node", bench::node},
    {"peak", bench::peak},
    {"planning", bench::planning},
    {"resnet20_infer1", bench::resnet20_infer1},
    {"resnet20_infer64", bench::resnet20_infer64},
    {"resnet20_train", bench::resnet20_train},
    {"resnet20_train_bf16", bench::resnet20_train_bf16},
    {"start", bench::start},
    {"varying_audio", bench::varying_audio},
    {"varying_graphs", bench::varying_graphs},
    {"varying_text", bench::varying_text},
    {"varying_trees", bench::varying_trees},
};

void print(const std::string& name, const bench::Result& result, bool json) {
  const char* format = json
                           ? "{\"workload\": \"%s\", \"ms\": %.6g, \"threads\": %d, \"cpu\": \"%s\""
                           : "%s: %.5g ms, %d threads, %s";
  std::printf(format, name.c_str(), result.ms, num_threads(), cpu_level().c_str());
  auto facts = result.facts;
  if (result.peak_bytes > 0) {
    facts.insert(facts.end(), {{"peak_bytes", result.peak_bytes},
                               {"plan_bytes", result.plan_bytes},
                               {"plan_bytes_least", result.plan_bytes_least},
                               {"planning_ms", result.planning_ms}});
  }
  for (const auto& [fact, value] : facts) {
    std::printf(json ? ", \"%s\": %.6g" : ", %s %.5g", fact.c_str(), value);
  }
  std::puts(json ? "}" : "");
}

void print_proof(const std::string& name, const bench::Result& result) {
  std::printf("{\"workload\": \"%s\", \"results\": [", name.c_str());
  const char* separator = "";
  for (double value : result.results) {
    std::printf("%s%.9g", separator, value);
    separator = ", ";
  }
  std::puts("]}");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Times Glia on one workload: the median time of a step, in ms.", "glia-bench");
  std::string name;
  bench::Options options;
  bool json = false;
  int threads = 0;
  app.add_option("workload", name, "its name, or \"list\" for all names")->required();
  app.add_flag("--json", json, "print one line of JSON");
  app.add_option("--seconds", options.seconds, "how long to time")->capture_default_str();
  app.add_option("--threads", threads, "how many threads to use");
  app.add_option("--prove", options.proof_steps,
                 "time nothing; print what so many first steps gave, to compare with another "
                 "framework's");
  app.add_option("--start", options.start,
                 "a safetensors file of weights and inputs to start from");
  app.add_option("--lr", options.lr, "a learning rate in place of the workload's own");
  app.add_option("--steps", options.steps,
                 "of varying_*: tell the process's memory after a tenth of so many steps, and all");
  CLI11_PARSE(app, argc, argv);

  try {
    if (name == "list") {
      for (const auto& [workload, function] : kWorkloads) std::puts(workload.c_str());
      return 0;
    }
    const auto workload = kWorkloads.find(name);
    if (workload == kWorkloads.end()) throw Error("no workload named " + name);
    if (threads > 0) set_num_threads(threads);
    const bench::Result result = workload->second(options);
    options.proof_steps > 0 ? print_proof(name, result) : print(name, result, json);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "glia-bench: %s\n", error.what());
    return 2;
  }
}
