// glia-bench-ops: times single operations. bench/README.md says how figures are to be compared.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "glia/runtime.h"
#include "ops.h"

namespace {

using namespace glia;
using bench::Op;

struct Options {
  std::string filter;
  std::vector<std::string> prove;
  bool list = false, json = false, once = false, serve = false, gradients_only = false;
  int threads = 0;
};

// Times operations and prints each one's times, or why there are none.
class Runner {
 public:
  explicit Runner(const Options& options) : options_(options) {}

  // Whether nothing went wrong.
  bool run(const Op& op) {
    try {
      if (!bench_ || last_ != &op) {
        bench_.reset();  // before there are new inputs
        bench_ = std::make_unique<bench::Bench>(op, options_.gradients_only, options_.once ? 1 : 2);
        last_ = &op;
      }
      print(op, bench_->time(options_.once));
      return true;
    } catch (const std::exception& error) {
      bench_.reset();
      print(op, error.what());
      return false;
    }
  }

 private:
  bool json() const { return options_.json || options_.serve; }

  static std::string quoted(const std::string& text) {
    std::ostringstream out;
    out << std::quoted(text);
    return out.str();
  }

  void print(const Op& op, const bench::Timing& t) const {
    if (json()) {
      std::printf(
          "{\"name\": %s, \"ms\": %.6g, \"least\": %.6g, \"calls\": %d, \"threads\": %d, "
          "\"cpu\": \"%s\"}\n",
          quoted(op.name).c_str(), t.ms, t.least, static_cast<int>(t.calls), num_threads(),
          cpu_level().c_str());
    } else {
      std::printf("%s\t%.5f\t%.5f\n", op.name.c_str(), t.ms, t.least);
    }
    std::fflush(stdout);
  }

  void print(const Op& op, const std::string& error) const {
    if (json()) {
      std::printf("{\"name\": %s, \"error\": %s}\n", quoted(op.name).c_str(),
                  quoted(error).c_str());
    } else {
      std::printf("%s\terror\t%s\n", op.name.c_str(), error.c_str());
    }
    std::fflush(stdout);
  }

  const Options& options_;
  const Op* last_ = nullptr;
  std::unique_ptr<bench::Bench> bench_;
};

int run(const Options& options) {
  const bench::Table table = bench::all_operations();
  if (options.threads > 0) set_num_threads(options.threads);
  if (!options.prove.empty()) {
    const Op& op = table.find(options.filter);
    bench::prove(op, options.prove[0], options.prove[1]);
    return 0;
  }
  Runner runner(options);
  bool good = true;
  if (options.serve) {
    for (std::string name; std::getline(std::cin, name);) good &= runner.run(table.find(name));
    return good ? 0 : 1;
  }
  bool any = false;
  for (const Op& op : table.ops()) {
    if (op.name.find(options.filter) == std::string::npos) continue;
    any = true;
    if (options.list) {
      std::puts(op.name.c_str());
    } else {
      good &= runner.run(op);
    }
  }
  if (!any) throw Error("no operation's name contains " + options.filter);
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Times single operations: name, median and least time of a call, in ms.",
               "glia-bench-ops");
  Options options;
  app.add_option("filter", options.filter, "only those whose name contains this");
  app.add_flag("--list", options.list, "print their names alone");
  app.add_flag("--json", options.json, "print one line of JSON for each");
  app.add_flag("--once", options.once, "call each once: whether it works, not what it costs");
  app.add_flag("--serve", options.serve, "time each name that is read, and answer in JSON");
  app.add_flag("--gradients-only", options.gradients_only,
               "do not compute the values that gradients belong to where these need them not");
  app.add_option("--threads", options.threads, "how many threads to use");
  app.add_option("--prove", options.prove,
                 "compute one operation, named in full, from the inputs of a safetensors file, and "
                 "write its value and gradients to another")
      ->expected(2)
      ->type_name("IN OUT");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "glia-bench-ops: %s\n", error.what());
    return 2;
  }
}
