// Glia's side of balance.py: balance IN.npz OUT.npz. Each array of IN is the gradients (T, n) f64
// of a case; OUT has NAME.mgda, NAME.cagrad and so on.
#include <iostream>

#include "glia/io.h"
#include "glia/multitask/balance.h"
#include "glia/ops.h"

using namespace glia;

int main(int, char** argv) try {
  StateDict out;
  const auto add = [&](const std::string& name, const std::vector<double>& w) {
    out.emplace_back(name, from_vector(w, {static_cast<int64_t>(w.size())}));
  };
  for (const auto& [name, g] : io::read_npz(argv[1])) {
    const Tensor gram = matmul(g, transpose(g));
    add(name + ".mgda", multitask::min_norm_weights(gram, {.max_iter = 10000}));
    for (const double c : {0.3, 0.8})
      add(name + ".cagrad" + std::to_string(static_cast<int>(10 * c)),
          multitask::cagrad_weights(gram, {.c = c}));
  }
  io::write_npz(argv[2], out);
} catch (const std::exception& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
