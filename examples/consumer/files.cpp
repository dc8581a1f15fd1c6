// Writes a layer's weights and reads them into another.
#include <cstdio>

#include "glia/glia.h"
using namespace glia;

int main() {
  nn::Linear saved(3, 2), loaded(3, 2);
  io::write_safetensors("layer.safetensors", saved.state_dict());
  loaded.load_state_dict(io::read_safetensors("layer.safetensors"));
  const Tensor x = ones({1, 3});
  const double difference = max(abs(saved(x) - loaded(x))).item();
  std::printf("%g\n", difference);
  return difference == 0 ? 0 : 1;
}
