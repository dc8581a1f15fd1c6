// What a program pays before its first prediction: a process is started, loads a model of 10 MB,
// predicts once and ends.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "bench.h"

extern char** environ;

namespace glia::bench {
namespace {

// Starts the program and waits for it; throws Error if it fails.
void spawn(const std::string& program, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), program);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  int status = 0;
  if (posix_spawn(&child, program.c_str(), nullptr, nullptr, argv.data(), environ) != 0 ||
      waitpid(child, &status, 0) != child || status != 0) {
    throw Error("start: " + program + " failed");
  }
}

// A new folder that goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string path = std::filesystem::temp_directory_path() / "glia-bench-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) throw Error("start: cannot make " + path);
    path_ = path;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace

Result start(const Options& options) {
  const TemporaryFolder folder;
  const std::string model = folder.file("model.safetensors"), memory = folder.file("memory");
  io::write_safetensors(model, {{"0.weight", randn({1280, 1024})},
                                {"0.bias", randn({1280})},
                                {"2.weight", randn({1024, 1280})},
                                {"2.bias", randn({1024})}});
  const std::string program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "glia-bench-start";
  Result result;
  result.ms = median_ms([&] { spawn(program, {model}); }, options.seconds);
  spawn(program, {model, memory});
  double kilobytes = 0;
  std::ifstream(memory) >> kilobytes;
  result.facts = {{"rss_mb", kilobytes / 1024}};
  return result;
}

}  // namespace glia::bench
