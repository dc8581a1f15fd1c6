// One prediction of a model loaded from a file: the program whose start glia-bench times.
//   glia-bench-start MODEL.safetensors [FILE]    writes its peak memory in kB to FILE
#include <cstdio>
#include <exception>
#include <fstream>
#include <string>

#include "glia/io.h"
#include "glia/nn.h"

namespace {

using namespace glia;

void predict(const char* path) {
  nn::Sequential model(nn::Linear(1024, 1280), relu, nn::Linear(1280, 1024));
  model.load_state_dict(io::read_safetensors(path));
  const NoGrad no_grad;
  eval(model(zeros({1, 1024})));
}

void write_peak_memory(const char* path) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) std::ofstream(path) << std::stol(line.substr(6)) << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  try {
    predict(argv[1]);
    if (argc > 2) write_peak_memory(argv[2]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "glia-bench-start: %s\n", error.what());
    return 1;
  }
}
