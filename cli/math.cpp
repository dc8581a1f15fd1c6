#include "cli/math.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/help.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/math/coding.h"

namespace glia {
namespace {

nlohmann::ordered_json entropy_of(const std::string& path) {
  const std::string text = io::read_file(path);
  const std::vector<uint8_t> bytes(text.begin(), text.end());
  nlohmann::ordered_json all{{"file", path}, {"bytes", bytes.size()}};
  for (int order : {0, 1, 2}) all["bits_per_byte"].push_back(coding::byte_entropy(bytes, order));
  all["huffman_bytes"] = coding::huffman_encode(bytes).size();
  all["arithmetic_bytes"] = coding::arithmetic_encode(bytes).size();
  return all;
}

void print_entropy(const nlohmann::ordered_json& all) {
  const double bytes = all["bytes"].get<double>();
  fmt::print("{:<13}{}\n", "bytes", all["bytes"].get<int64_t>());
  for (size_t order : {0, 1, 2})
    fmt::print("order {:<7}{:.4f} bits per byte\n", order,
               all["bits_per_byte"][order].get<double>());
  for (const std::string code : {"huffman", "arithmetic"}) {
    const double size = all[code + "_bytes"].get<double>();
    fmt::print("{:<13}{} bytes", code, all[code + "_bytes"].get<int64_t>());
    if (bytes > 0) fmt::print(", {:.4f} bits per byte", 8 * size / bytes);
    fmt::print("\n");
  }
}

}  // namespace

void add_math(CLI::App& app, const Session& session) {
  struct Job {
    std::string path;
    bool json = false;
  };
  auto job = std::make_shared<Job>();
  CLI::App* parent = add_group(app, "math", "Calculates what a file holds.", "entropy");
  CLI::App* entropy = parent->add_subcommand(
      "entropy", "Says how many bits each byte of a file tells, given the ones before.");
  entropy->add_option("file", job->path, "The file.")->type_name("FILE")->required();
  entropy->add_flag("--json", job->json, "Prints JSON.");
  entropy->footer(
      "\nOrder 1 and 2 are the entropies given the byte, and the two bytes, before. The sizes are\n"
      "those of the whole file in a Huffman code and in an arithmetic code of order 0.");
  entropy->callback([job, session] {
    session.begin();
    const nlohmann::ordered_json all = entropy_of(job->path);
    if (job->json)
      fmt::print("{}\n", all.dump(2));
    else
      print_entropy(all);
  });
}

}  // namespace glia
